import Foundation
import PlanFormat
import Tensors

/// Binary codes: each row, or each group of columns in a row, is `sum_i alpha_i b_i` with `b_i` in {-1, +1}.
///
/// Parts: `signs` U8 (bits, rows, ceil(columns / 8)) in the order of `SignPlanes.stored`; `alphas` F32 or F16 (rows, groups,
/// bits).
/// - Source: Guo et al. 2017; Xu et al. 2018; Chung et al. 2020, section 3.1.
enum BinaryCodes {
    static func encode(
        _ weights: Matrix, bits: Int, group: Int?, alphas type: Scheme.FloatType, fit: CodeFit,
        context: CalibrationContext
    ) throws(QuantizationError) -> PackedMatrix {
        let rows = weights.rows
        let columns = weights.columns
        if type == .fp16 { try FullPrecision.checkHalf(weights) }
        let width = group ?? max(1, columns)
        let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
        let rowBytes = SignPlanes.rowBytes(columns: columns)
        var planes = Data(count: bits * rows * rowBytes)
        var alphas = [Float](repeating: 0, count: rows * groups * bits)
        planes.withUnsafeMutableBytes { planes in
            alphas.withUnsafeMutableBufferPointer { alphas in
                weights.storage.withUnsafeBufferPointer { weights in
                    guard rows > 0, columns > 0, let weights = weights.baseAddress,
                        let alphas = alphas.baseAddress,
                        let planes = planes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    else { return }
                    forEachRun(rows: rows, threads: context.threads) { run in
                        let encoder = VectorEncoder(
                            bits: bits, width: min(width, columns), type: type, fit: fit)
                        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columns) { codes in
                            guard let codes = codes.baseAddress else { return }
                            for row in run {
                                for index in 0..<groups {
                                    let start = index * width
                                    encoder.encode(
                                        weights + row * columns + start, count: min(width, columns - start),
                                        codes: codes + start, alphas: alphas + (row * groups + index) * bits)
                                }
                                SignPlanes.pack(
                                    codes, columns: columns, planes: bits, into: planes + row * rowBytes,
                                    planeStride: rows * rowBytes)
                            }
                        }
                    }
                }
            }
        }
        return PackedMatrix(
            scheme: .binaryCodes(bits: bits, group: group, alphas: type), rows: rows, columns: columns,
            parts: [
                "signs": PackedTensor(
                    type: .uint8, shape: [bits, rows, rowBytes],
                    bytes: SignPlanes.stored(planes, planes: bits, rows: rows, columns: columns)),
                "alphas": PackedTensor(shape: [rows, groups, bits], floats: alphas, as: type),
            ])
    }

    static func decode(_ packed: PackedMatrix, bits: Int, group: Int?) throws(QuantizationError) -> Matrix {
        let storage = decode(
            signs: try packed.part("signs"), alphas: try packed.part("alphas").floats, rows: packed.rows,
            columns: packed.columns, bits: bits,
            group: group)
        return Matrix(rows: packed.rows, columns: packed.columns, storage: storage)
    }

    /// The numbers of a block of rows, row-major.
    static func decode(
        signs: PackedTensor, alphas: [Float], rows: Int, columns: Int, bits: Int, group: Int?
    ) -> [Float] {
        let width = group ?? max(1, columns)
        let groups = group.map { (columns + $0 - 1) / $0 } ?? 1
        let rowBytes = SignPlanes.rowBytes(columns: columns)
        let planes = SignPlanes.logical(signs.bytes, planes: bits, rows: rows, columns: columns)
        return [Float](unsafeUninitializedCapacity: rows * columns) { target, count in
            count = rows * columns
            planes.withUnsafeBytes { planes in
                alphas.withUnsafeBufferPointer { alphas in
                    guard count > 0, let target = target.baseAddress, let alphas = alphas.baseAddress,
                        let planes = planes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                    else { return }
                    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: columns) { codes in
                        withUnsafeTemporaryAllocation(of: Float.self, capacity: 1 << bits) { values in
                            guard let codes = codes.baseAddress, let values = values.baseAddress else {
                                return
                            }
                            for row in 0..<rows {
                                SignPlanes.unpack(
                                    planes + row * rowBytes, planeStride: rows * rowBytes, columns: columns,
                                    planes: bits, into: codes)
                                for index in 0..<groups {
                                    codeValues(
                                        alphas + (row * groups + index) * bits, bits: bits, into: values)
                                    let end = min(columns, (index + 1) * width)
                                    for column in index * width..<end {
                                        target[row * columns + column] = values[Int(codes[column])]
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Encodes vectors one after the other with the same room.
final class VectorEncoder {
    private let bits: Int
    private let type: Scheme.FloatType
    private let fit: CodeFit
    private let greedy: GreedyCodes
    private let vector: SortedVector
    private let intervals: IntervalFit

    init(bits: Int, width: Int, type: Scheme.FloatType, fit: CodeFit) {
        self.bits = bits
        self.type = type
        self.fit = fit
        greedy = GreedyCodes(columns: width)
        vector = SortedVector(capacity: width)
        intervals = IntervalFit(bits: bits, vector: vector, type: type)
    }

    /// Writes a code per weight and `bits` alphas.
    func encode(
        _ weights: UnsafePointer<Float>, count: Int, codes: UnsafeMutablePointer<UInt8>,
        alphas: UnsafeMutablePointer<Float>
    ) {
        if fit == .greedy && !mayBeDecoded(weights, count: count) {
            greedy.encode(weights, count: count, bits: bits, type: type, codes: codes, alphas: alphas)
            return
        }
        vector.load(weights, count: count)
        intervals.begin()
        if let recovered = intervals.recoveredAlphas() {
            intervals.alternate(from: recovered, iterations: 4)
        }
        if !(intervals.bestError <= 1e-11 * vector.squares) {
            if fit == .greedy {
                greedy.encode(weights, count: count, bits: bits, type: type, codes: codes, alphas: alphas)
                return
            }
            intervals.planeByPlane(refit: false)
            intervals.planeByPlane(refit: true)
            if fit != .refined {
                intervals.alternate(from: intervals.lastAlphas, iterations: 30)
                intervals.alternate(from: uniformAlphas(), iterations: 30)
            }
        }
        for plane in 0..<bits { alphas[plane] = intervals.best.alphas[plane] }
        intervals.best.assign(weights, count: count, codes: codes)
    }

    /// The alphas of the uniform grid that suits normally distributed numbers: from 4 bits on a better start than
    /// refined codes, whose alphas fall too slowly.
    ///
    /// - Source: Max 1960, "Quantizing for minimum distortion", table II, continued for 64 and more levels.
    private func uniformAlphas() -> [Double] {
        let steps = [1.596, 0.9957, 0.5860, 0.3352, 0.1881, 0.1041, 0.0569, 0.0308]
        let deviation = (vector.squares / Double(max(1, vector.count))).squareRoot()
        return (0..<bits).map { steps[bits - 1] / 2 * deviation * Double(1 << (bits - 1 - $0)) }
    }

    /// Whether two of the first 2^bits + 1 numbers are equal, as they must be in a vector of 2^bits code values.
    private func mayBeDecoded(_ weights: UnsafePointer<Float>, count: Int) -> Bool {
        let levels = 1 << bits
        if count < 2 * levels { return false }
        // Too short for comparing 16 at a time: the sorted numbers will tell.
        if count < 2 * levels + 32 { return true }
        for start in stride(from: 0, through: levels, by: 16) {
            let some = UnsafeRawPointer(weights + start).loadUnaligned(as: SIMD16<Float>.self)
            for shift in 1...levels {
                let others = UnsafeRawPointer(weights + start + shift).loadUnaligned(as: SIMD16<Float>.self)
                if any(some .== others) { return true }
            }
        }
        return false
    }
}
