extension Unicode.Scalar {
    /// Whether Python's `str.isspace`, `str.split` and `str.rstrip` take the scalar for whitespace.
    ///
    /// That is Unicode's White_Space and the four information separators U+001C to U+001F.
    var isPythonWhitespace: Bool {
        switch value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F,
            0x3000:
            true
        default: false
        }
    }
}
