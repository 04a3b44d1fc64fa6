"""One module a table or outside system. Adapters take ``tx`` first and never commit."""
