import Foundation

/// Lists of token ids as bytes: for every item how many it has, then the ids, all as LEB128.
///
/// - Source: LEB128: DWARF 4, section 7.6.
enum TokenRecord {
    static func encode(_ items: [[Int]]) -> Data {
        var bytes: [UInt8] = []
        for item in items {
            LEB128.append(item.count, to: &bytes)
            for token in item { LEB128.append(token, to: &bytes) }
        }
        return Data(bytes)
    }

    /// The lists; nil where the bytes end inside one.
    static func decode(_ data: Data) -> [[Int]]? {
        var bytes = [UInt8](data)[...]
        var items: [[Int]] = []
        while !bytes.isEmpty {
            guard let count = LEB128.take(&bytes), count <= bytes.count else { return nil }
            var item: [Int] = []
            item.reserveCapacity(count)
            for _ in 0..<count {
                guard let token = LEB128.take(&bytes) else { return nil }
                item.append(token)
            }
            items.append(item)
        }
        return items
    }
}

/// Counts as bytes, seven bits in each, the lowest first: 1 byte below 128.
enum LEB128 {
    static func append(_ count: Int, to bytes: inout [UInt8]) {
        var rest = UInt64(count)
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    /// The count that the bytes begin with; nil where they end inside it, or it has more than 56 bits.
    static func take(_ bytes: inout ArraySlice<UInt8>) -> Int? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 56, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(number) }
        }
        return nil
    }
}
