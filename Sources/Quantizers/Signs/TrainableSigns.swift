import BitplanTensors
import PlanFormat

extension Scheme.Signs: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableSigns(
            packed, scale: scaled ? "scale" : nil, ends: [packed.rows * packed.columns],
            clip: { abs($0) <= 1 }
        ) { encode($0, fit: .greedy, context: .none) }
    }
}

extension Scheme.BitLinear: TrainableScheme {
    func trainable(_ packed: PackedMatrix) throws(PackedMatrixError) -> any TrainableCodes {
        try TrainableSigns(
            packed, scale: "scales",
            ends: (0..<groups).map { rows(of: $0, rows: packed.rows).upperBound * packed.columns },
            clip: { _ in true }
        ) { encode($0, fit: .greedy, context: .none) }
    }
}

/// One sign a weight under training: scales are learned with signs fixed.
///
/// With latent weights signs and scales are those that the scheme gives them, anew for every step; the
/// gradient reaches them as it is (BitNet), or inside [-1, 1] (signs without centring).
/// - Source: BitNet (Wang et al. 2023), section 2.2; SensiMix (Piao et al. 2022) and XNOR-Net (Rastegari et
///   al. 2016) for the clip.
struct TrainableSigns: TrainableCodes {
    private let encode: @Sendable (Matrix) -> PackedMatrix
    private let clip: @Sendable (Float) -> Bool
    private let scalePart: String?
    /// Signs in plain order.
    private var current: PackedMatrix
    private var levels: ScaledLevels
    /// Empty where the scheme stores no scale.
    var numbers: [Float]

    init(
        _ packed: PackedMatrix, scale: String?, ends: [Int], clip: @escaping @Sendable (Float) -> Bool,
        encode: @escaping @Sendable (Matrix) -> PackedMatrix
    ) throws(PackedMatrixError) {
        self.encode = encode
        self.clip = clip
        scalePart = scale
        current = packed
        levels = ScaledLevels(
            SignBits.decoded(try packed.part("signs"), rows: packed.rows, columns: packed.columns) { _ in 1 },
            ends: ends)
        numbers = []
        if let scale { numbers = try packed.part(scale).floats }
    }

    func decoded() -> Matrix { scalePart == nil ? levels.levels : levels.decoded(numbers) }

    func numbersGradient(_ gradient: Matrix) -> [Float] {
        scalePart == nil ? [] : levels.scalesGradient(gradient)
    }

    /// Nothing: scales follow from the latent weights.
    func numbersGradient(_ gradient: Matrix, latent: Matrix) -> [Float] { numbers.map { _ in 0 } }

    func passThrough(_ gradient: inout Matrix, latent: Matrix) {
        for (index, weight) in latent.storage.enumerated() where !clip(weight) { gradient.storage[index] = 0 }
    }

    mutating func recode(_ latent: Matrix, threads: Int?) {
        let encoded = encode(latent)
        guard
            let new = try? TrainableSigns(
                encoded, scale: scalePart, ends: levels.ends, clip: clip, encode: encode)
        else { return }
        self = new
    }

    func packed() -> PackedMatrix {
        var parts = current.parts
        if let scalePart { parts[scalePart] = PackedTensor(shape: [numbers.count], floats: numbers) }
        return PackedMatrix(
            scheme: current.scheme, rows: current.rows, columns: current.columns, parts: parts
        ).inStoredOrder()
    }
}
