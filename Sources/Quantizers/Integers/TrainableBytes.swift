import BitplanTensors
import Foundation
import PlanFormat

extension Scheme.W8A8: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableBytes(packed)
    }
}

/// 8-bit weights with a scale a row under training: scales are learned; latent weights are rounded by the
/// scales as they are, as `TrainableIntegers` does.
struct TrainableBytes: TrainableCodes {
    private var levels: ScaledLevels
    private let scheme: Scheme
    var numbers: [Float]

    init(_ packed: PackedMatrix) throws(PackedMatrixError) {
        scheme = packed.scheme
        let codes = try packed.part("codes").bytes
        levels = ScaledLevels(
            Matrix(
                rows: packed.rows, columns: packed.columns,
                storage: codes.map { Float(Int8(bitPattern: $0)) }),
            width: packed.columns)
        numbers = try packed.part("scales").floats
    }

    private var stored: [Float] { numbers.map { max($0, .leastNormalMagnitude) } }

    var rowScales: RowScales? { RowScales(rows: stored, columns: [], rotation: nil) }

    func decoded() -> Matrix { levels.decoded(stored) }

    func numbersGradient(_ gradient: Matrix) -> [Float] { levels.scalesGradient(gradient) }

    func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float] {
        var sums = [Float](repeating: 0, count: numbers.count)
        let scales = stored
        levels.forEachRun { run, range in
            for index in range {
                let value = latent.storage[index] / scales[run]
                let rest = levels.levels.storage[index] - (abs(value) <= 127.5 ? value : 0)
                sums[run] += gradient.storage[index] * rest
            }
        }
        return sums
    }

    func passThrough(_ gradient: inout Matrix, latent: Matrix) {
        let scales = stored
        levels.forEachRun { run, range in
            for index in range where abs(latent.storage[index]) > 127.5 * scales[run] {
                gradient.storage[index] = 0
            }
        }
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let scales = stored
        levels.forEachRun { run, range in
            for index in range {
                // A byte has no negative zero.
                let code = (latent.storage[index] / scales[run]).rounded(.toNearestOrEven) + 0
                levels.levels.storage[index] = max(-127, min(127, code))
            }
        }
    }

    func packed() -> PackedMatrix {
        let matrix = levels.levels
        return PackedMatrix(
            scheme: scheme, rows: matrix.rows, columns: matrix.columns,
            parts: [
                "codes": PackedTensor(
                    type: .int8, shape: [matrix.rows, matrix.columns],
                    bytes: matrix.storage.map { Int8($0) }.withUnsafeBytes { Data($0) }),
                "scales": PackedTensor(shape: [matrix.rows], floats: stored),
            ]
        ).inStoredOrder()
    }
}

extension Scheme.MinMaxIndex: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableIndex(self, packed)
    }
}

/// 8-bit indices under training: with codes fixed, minimum and maximum are learned, `w = min (1 - i / 255) +
/// max i / 255` for an index i from 0 to 255.
///
/// With latent weights the range is theirs, anew for every step, and the gradient reaches them as it is.
/// - Source: SensiMix (Piao et al. 2022).
struct TrainableIndex: TrainableCodes {
    private let scheme: Scheme.MinMaxIndex
    private let rows: Int
    private let columns: Int
    private var codes: Data
    var numbers: [Float]

    init(_ scheme: Scheme.MinMaxIndex, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        (rows, columns) = (packed.rows, packed.columns)
        codes = try packed.part("codes").bytes
        numbers = try packed.part("range").floats
    }

    /// The range as it is stored: the maximum is not below the minimum.
    private var range: [Float] { [numbers[0], max(numbers[0], numbers[1])] }

    func decoded() -> Matrix { scheme.decoded(codes, range: range, rows: rows, columns: columns) }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        var (lowest, largest) = (0.0, 0.0)
        for (byte, slope) in zip(codes, gradient.storage) {
            let share = (Double(Int8(bitPattern: byte)) + 128) / 255
            lowest += Double(slope) * (1 - share)
            largest += Double(slope) * share
        }
        return [Float(lowest), Float(largest)]
    }

    /// Nothing: the range follows from the latent weights.
    func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float] { [0, 0] }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let encoded = scheme.encode(latent, fit: .greedy, context: .none)
        guard let new = try? TrainableIndex(scheme, encoded) else { return }
        self = new
    }

    func packed() -> PackedMatrix {
        PackedMatrix(
            scheme: scheme.scheme, rows: rows, columns: columns,
            parts: [
                "codes": PackedTensor(type: .int8, shape: [rows, columns], bytes: codes),
                "range": PackedTensor(shape: [2], floats: range),
            ]
        ).inStoredOrder()
    }
}
