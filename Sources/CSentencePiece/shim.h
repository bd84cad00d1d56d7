// The library's header is C++ and is included by SentencePieceBridge alone; this module only links it.
