--[[
Admit one request to all of its buckets, or to none. domain/limits.py says how; this is the same.

KEYS[1..] theoretical arrival time of each bucket, in microseconds of this server's clock
ARGV[1..] three a bucket: its tolerance and the cost, both in microseconds, 'take' | 'look' | 'owe'

Returns   {'admitted' | 'refused', wait, backlog...}
                                  two numbers a bucket: in how long the charge will fit, 0 where it
                                  does, and the backlog afterwards; microseconds
]]
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])

local answer, word = {}, 'admitted'
for i, key in ipairs(KEYS) do
  local tolerance, cost, mode = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), ARGV[3 * i]
  local backlog = math.max((tonumber(redis.call('GET', key)) or now) - now, 0)
  if mode == 'take' then
    backlog = math.min(backlog, tolerance)
  end
  local wait = mode == 'owe' and 0 or math.max(backlog + cost - tolerance, 0)
  if wait > 0 then
    word = 'refused'
  end
  answer[2 * i] = wait
  answer[2 * i + 1] = backlog
end
answer[1] = word
if word == 'refused' then
  return answer
end

for i, key in ipairs(KEYS) do
  if ARGV[3 * i] ~= 'look' then
    local backlog = answer[2 * i + 1] + tonumber(ARGV[3 * i - 1])
    answer[2 * i + 1] = backlog
    -- Written as a whole number: a script's floats lose digits. It is gone once it means nothing.
    redis.call('SET', key, string.format('%.0f', now + backlog), 'PX', math.ceil(backlog / 1000))
  end
end
return answer
