--[[
Read the ledger of one upload.

KEYS[1]  head of the upload
KEYS[2]  bitmap of uploaded chunks
KEYS[3]  bitmap of failed chunks

Returns  {0} when nothing is known, else {1, uploaded, failed}, bitmaps as strings, '' where empty
]]
if redis.call('EXISTS', KEYS[1]) == 0 then
  return {0}
end
return {1, redis.call('GET', KEYS[2]) or '', redis.call('GET', KEYS[3]) or ''}
