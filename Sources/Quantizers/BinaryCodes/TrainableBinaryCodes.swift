import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.BinaryCodes: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableBinaryCodes(
            self, signs: packed.part("signs"), alphas: packed.part("alphas").floats, rows: packed.rows,
            columns: packed.columns)
    }
}

/// Binary codes under training: alphas are learned, `d alpha_i = sum G b_i` over the group.
///
/// Latent weights take the nearest of the 2^bits values of their group. The gradient reaches them where they
/// lie between the least and the largest value, widened by the step next to it.
/// - Source: AlphaTuning (Kwon et al. 2022) for alphas alone.
struct TrainableBinaryCodes: TrainableCodes {
    private let scheme: Scheme.BinaryCodes
    private let rows: Int
    private let columns: Int
    private let width: Int
    private let groups: Int
    private var codes: [UInt8]
    /// (rows, groups, bits).
    var numbers: [Float]

    /// Planes in plain order, and alphas (rows, groups, bits).
    init(_ scheme: Scheme.BinaryCodes, signs: PackedTensor, alphas: [Float], rows: Int, columns: Int) {
        self.scheme = scheme
        self.rows = rows
        self.columns = columns
        width = scheme.group ?? max(1, columns)
        groups = scheme.groups(columns: columns)
        codes = [UInt8](repeating: 0, count: rows * columns)
        numbers = alphas
        let rowBytes = SignPlanes.rowBytes(columns: columns)
        codes.withUnsafeMutableBufferPointer { codes in
            signs.bytes.withUnsafeBytes { planes in
                guard let codes = codes.baseAddress,
                    let planes = planes.baseAddress?.assumingMemoryBound(to: UInt8.self)
                else { return }
                for row in 0..<rows {
                    SignPlanes.unpack(
                        planes + row * rowBytes, planeStride: rows * rowBytes, columns: columns,
                        planes: scheme.bits, into: codes + row * columns)
                }
            }
        }
    }

    /// The 2^bits values of a group, and the columns it has.
    private func forEachGroup(_ body: (Int, Range<Int>, UnsafePointer<Float>) -> Void) {
        let bits = scheme.bits
        withUnsafeTemporaryAllocation(of: Float.self, capacity: bits + 1 << bits) { scratch in
            guard let values = scratch.baseAddress else { return }
            let alphas = values + 1 << bits
            for row in 0..<rows {
                for group in 0..<groups {
                    let index = row * groups + group
                    for plane in 0..<bits {
                        alphas[plane] = scheme.alphas.stored(numbers[index * bits + plane])
                    }
                    codeValues(alphas, bits: bits, into: values)
                    let first = row * columns
                    body(index, first + group * width..<first + min(columns, (group + 1) * width), values)
                }
            }
        }
    }

    func decoded() -> Matrix {
        var decoded = Matrix(rows: rows, columns: columns)
        decoded.storage.withUnsafeMutableBufferPointer { decoded in
            codes.withUnsafeBufferPointer { codes in
                forEachGroup { _, range, values in
                    for index in range { decoded[index] = values[Int(codes[index])] }
                }
            }
        }
        return decoded
    }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        let bits = scheme.bits
        var result = [Float](repeating: 0, count: numbers.count)
        withUnsafeTemporaryAllocation(of: Float.self, capacity: 1 << bits) { sums in
            gradient.storage.withUnsafeBufferPointer { gradient in
                codes.withUnsafeBufferPointer { codes in
                    forEachGroup { group, range, _ in
                        // One sum a code, then sums of sums.
                        sums.update(repeating: 0)
                        for index in range { sums[Int(codes[index])] += gradient[index] }
                        for plane in 0..<bits {
                            var sum: Float = 0
                            for code in 0..<1 << bits {
                                sum += code >> plane & 1 == 1 ? sums[code] : -sums[code]
                            }
                            result[group * bits + plane] = sum
                        }
                    }
                }
            }
        }
        return result
    }

    func passThrough(_ gradient: inout Matrix, latent: Matrix) {
        forEachGroup { _, range, values in
            let sorted = UnsafeBufferPointer(start: values, count: 1 << scheme.bits).sorted()
            let count = sorted.count
            let low = sorted[0] - (sorted[min(1, count - 1)] - sorted[0])
            let high = sorted[count - 1] + (sorted[count - 1] - sorted[max(0, count - 2)])
            for index in range where !(low...max(low, high)).contains(latent.storage[index]) {
                gradient.storage[index] = 0
            }
        }
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        var new = codes
        forEachGroup { _, range, values in
            // Codes in order of their values, and the thresholds between.
            let order = (0..<1 << scheme.bits).sorted { (values[$0], $0) < (values[$1], $1) }
            let middles = zip(order, order.dropFirst()).map { (values[$0] + values[$1]) / 2 }
            for index in range {
                let weight = latent.storage[index]
                var place = 0
                for middle in middles where weight > middle { place += 1 }
                new[index] = UInt8(order[place])
            }
        }
        codes = new
    }

    /// Planes in plain order, and alphas as they are stored.
    func planes() -> (signs: Data, alphas: [Float]) {
        (
            SignPlanes.packed(codes, planes: scheme.bits, rows: rows, columns: columns),
            numbers.map(scheme.alphas.stored)
        )
    }

    func packed() -> PackedMatrix {
        let (signs, alphas) = planes()
        return PackedMatrix(
            scheme: scheme.scheme, rows: rows, columns: columns,
            parts: [
                "signs": PackedTensor(
                    type: .uint8, shape: [scheme.bits, rows, SignPlanes.rowBytes(columns: columns)],
                    bytes: signs),
                "alphas": PackedTensor(
                    shape: [rows, groups, scheme.bits], floats: alphas, as: scheme.alphas),
            ]
        ).inStoredOrder()
    }
}
