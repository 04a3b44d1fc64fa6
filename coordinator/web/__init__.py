"""HTTP: handlers beside the Structs they own. They convert, call one operation, convert back."""
