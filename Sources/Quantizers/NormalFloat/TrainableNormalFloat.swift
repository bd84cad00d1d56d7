import BitplanTensors
import PlanFormat

extension Scheme.NormalFloat: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableNormalFloat(self, packed)
    }
}

/// NormalFloat codes under training: the scales of blocks are learned, and quantized again for every step
/// where they are stored as codes of their own.
///
/// Latent weights take the nearest level; the gradient reaches them as it is.
struct TrainableNormalFloat: TrainableCodes {
    private let scheme: Scheme.NormalFloat
    private var codes: [UInt8]
    private var levels: ScaledLevels
    var numbers: [Float]

    init(_ scheme: Scheme.NormalFloat, _ packed: PackedMatrix) throws(PackedMatrixError) {
        self.scheme = scheme
        let count = packed.rows * packed.columns
        codes = DenseBits.unpackedRows(try packed.part("codes").bytes, rows: 1, columns: count, bits: 4)
        numbers = try scheme.blockScales(of: packed)
        levels = ScaledLevels(
            Matrix(rows: packed.rows, columns: packed.columns),
            ends: stride(from: 0, to: count, by: scheme.block).map { min($0 + scheme.block, count) })
        setLevels()
    }

    private mutating func setLevels() {
        let values = NormalFloatLevels.values.map { Float($0) }
        for (index, code) in codes.enumerated() { levels.levels.storage[index] = values[Int(code)] }
    }

    private var stored: [Float] {
        scheme.doubleQuantization ? DoubleQuantizedScales(numbers).values : numbers
    }

    func decoded() -> Matrix { levels.decoded(stored) }

    func numbersGradient(_ gradient: Matrix) -> [Float] { levels.scalesGradient(gradient) }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let scales = stored
        codes = scheme.nearestCodes(latent) { scales[$0] }
        setLevels()
    }

    func packed() -> PackedMatrix {
        scheme.packed(
            codes: codes, scales: numbers, rows: levels.levels.rows, columns: levels.levels.columns
        ).inStoredOrder()
    }
}
