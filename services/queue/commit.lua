-- Writes one task as it was decided, with all that is derived from it, if nothing moved since it was read.
--
-- ARGV: key prefix, the queue's token, the task, the document as it was read, the document to write, JSON of changes
-- Returns 'ok'; 'moved' where somebody was faster or a limit is reached: read and decide again; 'lost' where this is
-- not the queue that the caller knows.

local prefix, token, task, before, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local change = cjson.decode(ARGV[6])
local document = prefix .. 'task:' .. task

if (redis.call('GET', prefix .. 'ready') or redis.call('GET', prefix .. 'filling')) ~= token then return 'lost' end
if (redis.call('GET', document) or '') ~= before then return 'moved' end

local limits = change.limits
if limits then
  if redis.call('ZCOUNT', prefix .. 'leases:' .. limits.annotator, limits.now, '+inf') >= limits.leases then
    return 'moved'
  end
  if limits.budget then
    local used = (redis.call('HGET', prefix .. 'bought', limits.campaign) or 0)
      + (redis.call('HGET', prefix .. 'leased', limits.campaign) or 0)
    if used >= limits.budget then return 'moved' end
  end
end

redis.call('SET', document, after)
if change.withdrawn then redis.call('ZREM', prefix .. 'lane:' .. change.withdrawn, task) end
local offer = change.offered
if offer then
  local score = offer.score or redis.call('INCR', prefix .. 'sequence')
  redis.call('ZADD', prefix .. 'lane:' .. offer.place .. ':' .. offer.bucket, score, task)
  redis.call('ZADD', prefix .. 'lanes:' .. offer.bucket, offer.priority, offer.place)
  redis.call('SADD', prefix .. 'buckets', offer.bucket)
end
local holders = prefix .. 'holders:' .. task
for _, annotator in ipairs(change.joined) do redis.call('SADD', holders, annotator) end
for _, annotator in ipairs(change.left) do redis.call('SREM', holders, annotator) end
for _, lease in ipairs(change.ended) do
  redis.call('ZREM', prefix .. 'leases:' .. lease.annotator, task)
  redis.call('ZREM', prefix .. 'due', lease.due)
end
for _, lease in ipairs(change.begun) do
  if lease.lease_until then redis.call('ZADD', prefix .. 'leases:' .. lease.annotator, lease.lease_until, task) end
  redis.call('ZADD', prefix .. 'due', lease.at, lease.due)
end
for _, count in ipairs(change.counts) do
  redis.call('HINCRBY', prefix .. count.name, count.field, count.by)
end
if change.keep_ms then
  redis.call('PEXPIRE', document, change.keep_ms)
  redis.call('PEXPIRE', holders, change.keep_ms)
else
  redis.call('PERSIST', holders)
end
return 'ok'
