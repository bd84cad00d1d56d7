import BitplanMetrics
import Foundation

/// The scores of the first items of the data as bytes, bit for bit.
///
/// Layout: 0 where nothing was sketched, else 1; then for every item the bit patterns of its KL and its
/// cross-entropy in nats (8 bytes each, little-endian) and the tokens of both (LEB128, 1 byte below 128);
/// after a 1 also the bit patterns of `sketchedNats`, `anchorNats` and `anchorSketchedNats`, and the anchors
/// (LEB128).
/// - Source: LEB128: DWARF 4, section 7.6.
enum ScoreRecord {
    static func encode(_ scores: [ItemScore]) -> Data {
        let isSketched = scores.contains { $0 != ItemScore(loss: $0.loss) }
        var bytes: [UInt8] = [isSketched ? 1 : 0]
        bytes.reserveCapacity(1 + (isSketched ? 44 : 18) * scores.count)
        for score in scores {
            append(score.loss.kl.nats, to: &bytes)
            append(score.loss.crossEntropy.nats, to: &bytes)
            LEB128.append(score.loss.kl.tokens, to: &bytes)
            LEB128.append(score.loss.crossEntropy.tokens, to: &bytes)
            guard isSketched else { continue }
            append(score.sketchedNats, to: &bytes)
            append(score.anchorNats, to: &bytes)
            append(score.anchorSketchedNats, to: &bytes)
            LEB128.append(score.anchors, to: &bytes)
        }
        return Data(bytes)
    }

    /// The scores; nil where the bytes are not those of `items` items.
    static func decode(_ data: Data, items: Int) -> [ItemScore]? {
        var bytes = [UInt8](data)[...]
        guard let kind = bytes.popFirst(), kind <= 1, items >= 0, items <= bytes.count else { return nil }
        var scores: [ItemScore] = []
        scores.reserveCapacity(items)
        for _ in 0..<items {
            guard let kl = takeNumber(&bytes), let crossEntropy = takeNumber(&bytes),
                let predictions = LEB128.take(&bytes), let targets = LEB128.take(&bytes)
            else { return nil }
            var score = ItemScore(
                loss: ItemLoss(
                    kl: TokenLoss(nats: kl, tokens: predictions),
                    crossEntropy: TokenLoss(nats: crossEntropy, tokens: targets)))
            if kind == 1 {
                guard let sketched = takeNumber(&bytes), let exact = takeNumber(&bytes),
                    let anchored = takeNumber(&bytes), let anchors = LEB128.take(&bytes)
                else { return nil }
                score.sketchedNats = sketched
                score.anchorNats = exact
                score.anchorSketchedNats = anchored
                score.anchors = anchors
            }
            scores.append(score)
        }
        return bytes.isEmpty ? scores : nil
    }

    private static func append(_ number: Double, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: number.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private static func takeNumber(_ bytes: inout ArraySlice<UInt8>) -> Double? {
        guard bytes.count >= 8 else { return nil }
        defer { bytes.removeFirst(8) }
        return Double(bitPattern: bytes.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// FNV-1a of what a store keeps and of its key, so that damage is noticed, whether in the value or in the way
/// to it.
///
/// - Source: Fowler, Noll, Vo; 64 bits.
package struct Checksum {
    /// The checksum.
    package private(set) var value: UInt64 = 0xCBF2_9CE4_8422_2325

    /// The checksum of these parts; where one ends and the next begins counts.
    package init(_ parts: [String], _ data: Data = Data()) {
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
