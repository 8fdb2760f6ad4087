-- One request of that caller: 0 where it may pass, else the milliseconds until it may. See rates.next_free.
-- KEYS: the caller's. ARGV: now (ms), ms a request takes of the allowance, ms that may be used at once

local now, each, burst = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local free = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
if free + each - now > burst then return math.ceil(free + each - now - burst) end
redis.call('SET', KEYS[1], string.format('%.3f', free + each), 'PX', math.ceil(free + each - now) + 1000)
return 0
