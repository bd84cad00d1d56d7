import Foundation
import Metrics

/// The losses of the first items of the data as bytes, bit for bit.
///
/// Layout, for every item: the bit patterns of its KL and its cross-entropy in nats (8 bytes each, little-endian) and the tokens of
/// both (LEB128, 1 byte below 128).
/// - Source: LEB128: DWARF 4, section 7.6.
enum LossRecord {
    static func encode(_ losses: [ItemLoss]) -> Data {
        var body: [UInt8] = []
        body.reserveCapacity(18 * losses.count)
        for loss in losses {
            for nats in [loss.kl.nats, loss.crossEntropy.nats] {
                withUnsafeBytes(of: nats.bitPattern.littleEndian) { body.append(contentsOf: $0) }
            }
            for tokens in [loss.kl.tokens, loss.crossEntropy.tokens] { append(UInt64(tokens), to: &body) }
        }
        return Data(body)
    }

    /// The losses; nil where the bytes are not those of `items` items.
    static func decode(_ data: Data, items: Int) -> [ItemLoss]? {
        var bytes = [UInt8](data)[...]
        guard items >= 0, items <= bytes.count else { return nil }
        var losses: [ItemLoss] = []
        losses.reserveCapacity(items)
        for _ in 0..<items {
            guard let kl = takeWord(&bytes), let crossEntropy = takeWord(&bytes),
                let predictions = take(&bytes),
                let targets = take(&bytes)
            else { return nil }
            losses.append(
                ItemLoss(
                    kl: TokenLoss(nats: Double(bitPattern: kl), tokens: predictions),
                    crossEntropy: TokenLoss(nats: Double(bitPattern: crossEntropy), tokens: targets)))
        }
        return bytes.isEmpty ? losses : nil
    }

    private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
        var rest = number
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }

    private static func takeWord(_ bytes: inout ArraySlice<UInt8>) -> UInt64? {
        guard bytes.count >= 8 else { return nil }
        defer { bytes.removeFirst(8) }
        return bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    private static func take(_ bytes: inout ArraySlice<UInt8>) -> Int? {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 56, by: 7) {
            guard let byte = bytes.popFirst() else { return nil }
            number |= UInt64(byte & 127) << shift
            if byte < 128 { return Int(number) }
        }
        return nil
    }
}

/// FNV-1a of what a store keeps and of its key, so that damage is noticed, whether in the value or in the way to it.
///
/// - Source: Fowler, Noll, Vo; 64 bits.
struct Checksum {
    private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The checksum of these parts; where one ends and the next begins counts.
    init(_ parts: [String], _ data: Data = Data()) {
        for part in parts {
            for byte in part.utf8 { add(byte) }
            add(0)
        }
        for byte in data { add(byte) }
    }

    /// As SQLite keeps it.
    var stored: Int64 { Int64(bitPattern: value) }

    private mutating func add(_ byte: UInt8) { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
}
