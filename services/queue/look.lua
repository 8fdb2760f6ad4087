-- All that the decision about an annotator's next task needs, read at one moment.
--
-- ARGV: key prefix, annotator, JSON {now, skills, exclude, campaign | null, remembered: requests to keep, 0: not noted}
-- Returns JSON of the standing and the numbers, then documents: open leases first, then offers as (lane, document).
--
-- Lanes are sorted sets. Where many have begun, the first that this annotator never had is found by a cursor of their
-- own that only moves forward: nobody looks twice at the same offer, so asking stays cheap however long a lane is.

local prefix, annotator, ask = ARGV[1], ARGV[2], cjson.decode(ARGV[3])
local PAGE = 64
local skills, exclude = {}, {}
for _, skill in ipairs(ask.skills) do skills[skill] = true end
for _, task in ipairs(ask.exclude) do exclude[task] = true end

local function allowed(bucket)
  local parts = cjson.decode(bucket) -- campaign, then the skills that it wants
  if ask.campaign ~= cjson.null and ask.campaign ~= parts[1] then return false end
  for index = 2, #parts do
    if not skills[parts[index]] then return false end
  end
  return true
end

local function first(lane)
  local key, cursors = prefix .. 'lane:' .. lane, prefix .. 'cursors:' .. lane
  local kind = string.match(lane, '^%a+')
  local cursor = kind == 'fresh' and '-inf' or (redis.call('HGET', cursors, annotator) or '-inf')
  local passed, found, moved = true, nil, nil -- the cursor may not pass what is only excluded for now
  local skip = 0
  repeat
    local page = redis.call('ZRANGE', key, cursor, '+inf', 'BYSCORE', 'LIMIT', skip, PAGE, 'WITHSCORES')
    for index = 1, #page, 2 do
      local task = page[index]
      if redis.call('SISMEMBER', prefix .. 'holders:' .. task, annotator) == 0 then
        if not exclude[task] then found = task break end
        passed = false
      end
      if passed then moved = '(' .. page[index + 1] end
    end
    skip = skip + PAGE
  until found or #page < 2 * PAGE
  if moved and kind ~= 'fresh' then redis.call('HSET', cursors, annotator, moved) end
  return found
end

local documents = {}
local leases = redis.call('ZRANGE', prefix .. 'leases:' .. annotator, ask.now, '+inf', 'BYSCORE')
for _, task in ipairs(leases) do
  documents[#documents + 1] = redis.call('GET', prefix .. 'task:' .. task) or ''
end

for _, bucket in ipairs(redis.call('SMEMBERS', prefix .. 'buckets')) do
  if allowed(bucket) then
    local done = {}
    for _, place in ipairs(redis.call('ZRANGE', prefix .. 'lanes:' .. bucket, 0, -1, 'REV')) do
      local kind = string.match(place, '^%a+')
      if not done[kind] then -- lanes come with the highest priority first
        local lane = place .. ':' .. bucket
        local task = first(lane)
        if task then
          done[kind] = true
          documents[#documents + 1] = lane
          documents[#documents + 1] = redis.call('GET', prefix .. 'task:' .. task)
        elseif redis.call('EXISTS', prefix .. 'lane:' .. lane) == 0 then
          redis.call('ZREM', prefix .. 'lanes:' .. bucket, place)
        end
      end
    end
  end
end

if ask.remembered > 0 then
  redis.call('LPUSH', prefix .. 'asked', cjson.encode({ annotator, ask.now }))
  redis.call('LTRIM', prefix .. 'asked', 0, ask.remembered - 1)
end

local function numbers(name)
  local flat, found = redis.call('HGETALL', prefix .. name), {}
  for index = 1, #flat, 2 do found[flat[index]] = tonumber(flat[index + 1]) end
  return next(found) and found or cjson.null
end

local terms, flat = {}, redis.call('HGETALL', prefix .. 'campaigns')
for index = 1, #flat, 2 do terms[#terms + 1] = cjson.decode(flat[index + 1]) end
local summary = {
  token = redis.call('GET', prefix .. 'ready') or '',
  standing = redis.call('HGET', prefix .. 'standings', annotator) or '',
  given = tonumber(redis.call('HGET', prefix .. 'given', annotator) or '0'),
  bought = numbers('bought'),
  leased = numbers('leased'),
  leases = #leases,
  bar = redis.call('GET', prefix .. 'bar') or '',
  known = redis.call('HGET', prefix .. 'known', annotator) or '',
}
table.insert(documents, 1, cjson.encode(summary))
table.insert(documents, 2, #terms > 0 and cjson.encode(terms) or '[]')
return documents
