/// Numbers as records have them: 8 bytes for a `Double`, little-endian, and LEB128 for counts.
///
/// - Source: LEB128: DWARF 4, section 7.6.
extension [UInt8] {
    mutating func append(number: Double) {
        Swift.withUnsafeBytes(of: number.bitPattern.littleEndian) { append(contentsOf: $0) }
    }

    mutating func append(count: Int) {
        var rest = UInt64(count)
        while rest >= 128 {
            append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        append(UInt8(rest))
    }
}

/// The same read back; nil where the bytes end too early.
extension ArraySlice<UInt8> {
    mutating func takeNumber() -> Double? {
        guard count >= 8 else { return nil }
        defer { removeFirst(8) }
        return Double(bitPattern: prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }

    mutating func takeCount() -> Int? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 56, by: 7) {
            guard let byte = popFirst() else { return nil }
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(number) }
        }
        return nil
    }
}
