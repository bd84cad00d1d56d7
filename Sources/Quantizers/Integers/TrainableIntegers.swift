import BitplanTensors
import PlanFormat

extension Scheme.Integers: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableIntegers(self, packed)
    }
}

/// Integers under training: scales are learned, zero points stay.
///
/// With latent weights v = w / s: code = round(v + zero point) cut to the grid, `dw` = G inside the grid and
/// 0 outside, `ds` = sum of G (code - zero point - v) inside and G (code - zero point) outside. The gradient
/// of a scale is not divided by the size of its run, as the source does for its optimizer: Adam's step does
/// not depend on it.
/// - Source: LSQ (Esser et al. 2020); zero points as in LSQ+ (Bhalgat et al. 2020), but fixed.
struct TrainableIntegers: TrainableCodes {
    private let scheme: Scheme.Integers
    private let rows: Int
    private let columns: Int
    private var codes: [UInt8]
    private let zeroPoints: [Float]
    private var levels: ScaledLevels
    var numbers: [Float]

    init(_ scheme: Scheme.Integers, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        (rows, columns) = (packed.rows, packed.columns)
        codes = DenseBits.unpackedRows(
            try packed.part("codes").bytes, rows: rows, columns: columns, bits: scheme.bits)
        numbers = try packed.part("scales").floats
        let middle = Float(1 << (scheme.bits - 1))
        zeroPoints =
            scheme.symmetric
            ? [Float](repeating: middle, count: numbers.count) : try packed.part("zeroPoints").floats
        let units = scheme.units(rows: rows, columns: columns)
        let empty = Matrix(rows: rows, columns: columns)
        levels =
            units.isShared
            ? ScaledLevels(empty, ends: [rows * columns]) : ScaledLevels(empty, width: units.width)
        setLevels()
    }

    private mutating func setLevels() {
        levels.forEachRun { run, range in
            for index in range { levels.levels.storage[index] = Float(codes[index]) - zeroPoints[run] }
        }
    }

    private var stored: [Float] {
        let smallest: Float = scheme.scales == .fp32 ? .leastNormalMagnitude : 0x1p-24
        return numbers.map { max(smallest, scheme.scales.stored($0)) }
    }

    func decoded() -> Matrix { levels.decoded(stored) }

    func numbersGradient(_ gradient: Matrix) -> [Float] { levels.scalesGradient(gradient) }

    /// The least and the largest code.
    private var range: ClosedRange<Float> {
        (scheme.symmetric ? 1 : 0)...Float(1 << scheme.bits - 1)
    }

    func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float] {
        var sums = [Float](repeating: 0, count: numbers.count)
        let (scales, range) = (stored, range)
        levels.forEachRun { run, weights in
            let (scale, zero) = (scales[run], zeroPoints[run])
            var sum: Float = 0
            for index in weights {
                let value = latent.storage[index] / scale
                let isInside = range.contains((value + zero).rounded(.toNearestOrEven))
                sum +=
                    gradient.storage[index] * (levels.levels.storage[index] - (isInside ? value : 0))
            }
            sums[run] = sum
        }
        return sums
    }

    func passThrough(_ gradient: inout Matrix, latent: Matrix) {
        let (scales, range) = (stored, range)
        levels.forEachRun { run, weights in
            for index in weights {
                let code = (latent.storage[index] / scales[run] + zeroPoints[run]).rounded(.toNearestOrEven)
                if !range.contains(code) { gradient.storage[index] = 0 }
            }
        }
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let scales = stored
        levels.forEachRun { run, weights in
            let grid = UniformGrid(scale: scales[run], zeroPoint: zeroPoints[run], bits: scheme.bits)
            for index in weights {
                codes[index] = grid.code(Double(latent.storage[index]), lowest: Double(range.lowerBound))
            }
        }
        setLevels()
    }

    func packed() -> PackedMatrix {
        let grids = zip(stored, zeroPoints).map {
            UniformGrid(scale: $0, zeroPoint: $1, bits: scheme.bits)
        }
        return scheme.packed(codes: codes, grids: grids, rows: rows, columns: columns).inStoredOrder()
    }
}
