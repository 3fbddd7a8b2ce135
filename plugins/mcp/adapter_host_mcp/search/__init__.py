"""Search over tools: the words of texts, the index, and the tools `search_tools` and `call_tool`."""
