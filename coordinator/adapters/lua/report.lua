--[[
Report chunks as uploaded or failed, after checking that the caller may; hint at it to watchers.

KEYS[1]   head of the upload: hash of tenant, user, phase, total, automatic
KEYS[2]   bitmap of uploaded chunks
KEYS[3]   bitmap of failed chunks
KEYS[4..] etag hashes of 100 chunks each, those that this report touches
ARGV[1]   tenant
ARGV[2]   user, or '' for anybody in the tenant
ARGV[3]   total chunks as the client believes, or ''
ARGV[4]   time to live in milliseconds
ARGV[5..] four a chunk: index, 'uploaded' | 'failed', number of its etag hash in KEYS or '0', packed etag

Returns   {'miss'}                              nothing is known: rebuild the head, then ask again
          {'denied'}                            somebody else's upload
          {'closed', phase}                     chunks are not reported any more
          {'total', total}                      the client's total is not ours
          {'range', index}                      there is no such chunk
          {'done', uploaded, total, automatic, word...}
                                                per chunk 'uploaded' | 'already_uploaded' | 'failed'
]]
local head = redis.call('HMGET', KEYS[1], 'tenant', 'user', 'phase', 'total', 'automatic')
if not head[4] then
  return {'miss'}
end
if head[1] ~= ARGV[1] or (ARGV[2] ~= '' and head[2] ~= ARGV[2]) then
  return {'denied'}
end
if head[3] ~= 'INIT' and head[3] ~= 'UPLOADING' then
  return {'closed', head[3]}
end
local total = tonumber(head[4])
if ARGV[3] ~= '' and tonumber(ARGV[3]) ~= total then
  return {'total', total}
end
for i = 5, #ARGV, 4 do
  if tonumber(ARGV[i]) >= total then
    return {'range', tonumber(ARGV[i])}
  end
end

local words = {}
for i = 5, #ARGV, 4 do
  local index, state, bucket, etag = tonumber(ARGV[i]), ARGV[i + 1], tonumber(ARGV[i + 2]), ARGV[i + 3]
  if state == 'failed' then
    redis.call('SETBIT', KEYS[2], index, 0)
    redis.call('SETBIT', KEYS[3], index, 1)
    words[#words + 1] = 'failed'
  else
    local before = redis.call('SETBIT', KEYS[2], index, 1)
    redis.call('SETBIT', KEYS[3], index, 0)
    local same = true
    if bucket > 0 then
      local field = index % 100
      same = redis.call('HGET', KEYS[bucket], field) == etag
      if not same then
        redis.call('HSET', KEYS[bucket], field, etag)
      end
    end
    words[#words + 1] = (before == 1 and same) and 'already_uploaded' or 'uploaded'
  end
end
for i = 1, #KEYS do
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
redis.call('PUBLISH', (KEYS[1]:gsub(':head$', ':changes')), 'progress')
return {'done', redis.call('BITCOUNT', KEYS[2]), total, head[5] or '0', unpack(words)}
