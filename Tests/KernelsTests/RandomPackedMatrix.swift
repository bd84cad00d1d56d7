import BitplanTensors
import Foundation
import PlanFormat

/// A packed matrix of random codes with the dense matrix that they stand for, made without the kernels' code.
struct RandomPackedMatrix {
    let packed: PackedMatrix
    let dense: Matrix
}

extension PackedTensor {
    init(_ shape: [Int], _ numbers: [Float]) {
        self.init(type: .float32, shape: shape, bytes: numbers.withUnsafeBytes { Data($0) })
    }
}

/// Codes of `bits` bits side by side, lowest bit first, bit by bit.
func bitStream(_ codes: [Int], bits: Int) -> Data {
    var data = Data(count: (codes.count * bits + 7) / 8)
    for (i, code) in codes.enumerated() {
        for b in 0..<bits where code >> b & 1 == 1 { data[(i * bits + b) / 8] |= 1 << ((i * bits + b) % 8) }
    }
    return data
}

extension RandomPackedMatrix {
    /// Random codes under a scheme that stores integers, levels, codewords or signs.
    init(_ scheme: Scheme, rows: Int, columns: Int, seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var dense = Matrix(rows: rows, columns: columns)
        var parts: [String: PackedTensor] = [:]
        func scales(_ count: Int) -> [Float] {
            (0..<count).map { _ in Float(0.5 + generator.uniform()) / 64 }
        }
        func codes(below limit: Int, _ count: Int) -> [Int] {
            (0..<count).map { _ in generator.index(below: limit) }
        }
        func rowStream(_ codes: [Int], bits: Int) -> Data {
            (0..<rows).reduce(into: Data()) {
                $0 += bitStream(Array(codes[$1 * columns..<($1 + 1) * columns]), bits: bits)
            }
        }
        let count = rows * columns
        switch scheme {
        case .integers(let scheme):
            let (bits, symmetric, granularity) = (scheme.bits, scheme.symmetric, scheme.granularity)
            let all = codes(below: 1 << bits, count)
            var (width, perRow) = (max(columns, 1), 1)
            if case .group(let group) = granularity {
                (width, perRow) = (group, (columns + group - 1) / group)
            }
            let units = granularity == .tensor ? 1 : rows * perRow
            let steps = scales(units)
            let zeros = (0..<units).map { _ in
                Float(symmetric ? 1 << (bits - 1) : generator.index(below: 1 << bits))
            }
            for i in 0..<count {
                let unit = granularity == .tensor ? 0 : i / columns * perRow + i % columns / width
                dense.storage[i] = steps[unit] * (Float(all[i]) - zeros[unit])
            }
            parts["codes"] = PackedTensor(
                type: .uint8, shape: [rows, (columns * bits + 7) / 8], bytes: rowStream(all, bits: bits))
            parts["scales"] = PackedTensor([units], steps)
            if !symmetric { parts["zeroPoints"] = PackedTensor([units], zeros) }
        case .minMaxIndex:
            let all = codes(below: 256, count)
            let range: [Float] = [-0.75, 1.5]
            for i in 0..<count { dense.storage[i] = Float(Double(all[i]) * 2.25 / 255 - 0.75) }
            parts["codes"] = PackedTensor(
                type: .int8, shape: [rows, columns], bytes: Data(all.map { UInt8($0) ^ 128 }))
            parts["range"] = PackedTensor([2], range)
        case .w8a8:
            let all = codes(below: 255, count)
            let steps = scales(rows)
            for i in 0..<count { dense.storage[i] = steps[i / columns] * Float(all[i] - 127) }
            parts["codes"] = PackedTensor(
                type: .int8, shape: [rows, columns],
                bytes: Data(all.map { UInt8(bitPattern: Int8($0 - 127)) }))
            parts["scales"] = PackedTensor([rows], steps)
        case .normalFloat(let scheme):
            let (block, doubleQuantization) = (scheme.block, scheme.doubleQuantization)
            let all = codes(below: 16, count)
            let blocks = (count + block - 1) / block
            var steps = scales(blocks)
            if doubleQuantization {
                let eight = codes(below: 255, blocks).map { $0 - 127 }
                let outer = scales((blocks + 255) / 256)
                steps = eight.enumerated().map { Float(Double(outer[$0 / 256]) * Double($1) / 127 + 0.5) }
                parts["scales"] = PackedTensor(
                    type: .int8, shape: [blocks], bytes: Data(eight.map { UInt8(bitPattern: Int8($0)) }))
                parts["scaleScales"] = PackedTensor([outer.count], outer)
                parts["scaleMean"] = PackedTensor([1], [0.5])
            } else {
                parts["scales"] = PackedTensor([blocks], steps)
            }
            for i in 0..<count { dense.storage[i] = Float(Self.normalFloatLevels[all[i]]) * steps[i / block] }
            parts["codes"] = PackedTensor(
                type: .uint8, shape: [(count + 1) / 2], bytes: bitStream(all, bits: 4))
        case .productCodes(let scheme):
            let (block, centroids) = (scheme.block, scheme.centroids)
            let perRow = (columns + block - 1) / block
            let all = codes(below: centroids, rows * perRow)
            let book = codes(below: 255, centroids * block).map { $0 - 127 }
            var bits = 1
            while 1 << bits < centroids { bits += 1 }
            parts["indices"] = PackedTensor(
                type: .uint8, shape: [(all.count * bits + 7) / 8], bytes: bitStream(all, bits: bits))
            switch scheme.storage {
            case .int8:
                parts["centroids"] = PackedTensor(
                    type: .int8, shape: [centroids, block],
                    bytes: Data(book.map { UInt8(bitPattern: Int8($0)) }))
                parts["centroidScale"] = PackedTensor([1], [0.03125])
            case .fp16:
                // Whole numbers up to 127 have 7 bits of fraction at most: their halves can be written down
                // directly.
                let halves = book.map { number -> UInt16 in
                    let magnitude = Float(abs(number)) / 32
                    guard magnitude > 0 else { return 0 }
                    let fraction = UInt16(magnitude.bitPattern >> 13 & 0x3ff)
                    return (number < 0 ? 0x8000 : 0) | UInt16(Int(magnitude.exponent) + 15) << 10 | fraction
                }
                parts["centroids"] = PackedTensor(
                    type: .float16, shape: [centroids, block], bytes: halves.withUnsafeBytes { Data($0) })
            }
            for i in 0..<count {
                let (r, c) = (i / columns, i % columns)
                dense.storage[i] = Float(book[all[r * perRow + c / block] * block + c % block]) / 32
            }
        case .signs(let scheme):
            let scaled = scheme.scaled
            let all = codes(below: 2, count)
            for i in 0..<count { dense.storage[i] = Float(2 * all[i] - 1) * (scaled ? 0.125 : 1) }
            parts["signs"] = PackedTensor(
                type: .uint8, shape: [rows, (columns + 7) / 8], bytes: rowStream(all, bits: 1))
            if scaled { parts["scale"] = PackedTensor([1], [0.125]) }
        case .bitLinear(let scheme):
            let groups = scheme.groups
            let all = codes(below: 2, count)
            let steps = scales(groups)
            for g in 0..<groups {
                for r in rows * g / groups..<rows * (g + 1) / groups {
                    for c in 0..<columns { dense[r, c] = Float(2 * all[r * columns + c] - 1) * steps[g] }
                }
            }
            parts["signs"] = PackedTensor(
                type: .uint8, shape: [rows, (columns + 7) / 8], bytes: rowStream(all, bits: 1))
            parts["scales"] = PackedTensor([groups], steps)
        case .trellisCodes(let scheme):
            let codes = RandomTrellisCodes(scheme, rows: rows, columns: columns, seed: seed)
            parts = codes.packed.parts
            dense = codes.dense
        case .fullPrecision, .binaryCodes, .clusteredCodes, .trellisClusters: break
        }
        packed = PackedMatrix(scheme: scheme, rows: rows, columns: columns, parts: parts).inStoredOrder()
        self.dense = dense
    }

    static let normalFloatLevels: [Double] = [
        -1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725,
        0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023,
        1,
    ]
}
