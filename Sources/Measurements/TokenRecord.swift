import Foundation

/// Lists of token ids as bytes: for every item how many it has, then the ids, all as LEB128 (`RecordBytes`).
enum TokenRecord {
    static func encode(_ items: [[Int]]) -> Data {
        var bytes: [UInt8] = []
        for item in items {
            bytes.append(count: item.count)
            for token in item { bytes.append(count: token) }
        }
        return Data(bytes)
    }

    /// The lists; nil where the bytes end inside one.
    static func decode(_ data: Data) -> [[Int]]? {
        var bytes = [UInt8](data)[...]
        var items: [[Int]] = []
        while !bytes.isEmpty {
            guard let count = bytes.takeCount(), count <= bytes.count else { return nil }
            var item: [Int] = []
            item.reserveCapacity(count)
            for _ in 0..<count {
                guard let token = bytes.takeCount() else { return nil }
                item.append(token)
            }
            items.append(item)
        }
        return items
    }
}
