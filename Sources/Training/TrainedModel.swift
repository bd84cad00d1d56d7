import BitplanKernels
import BitplanModels
import BitplanQuantizers
import BitplanTensors
import PlanFormat

/// The parameters of a quantized network: what its matrices and vectors are made of.
package struct TrainedModel: Sendable {
    /// Codes and the numbers beside them, by tensor.
    package var codes: [String: any TrainableCodes]
    /// Weights that codes follow, by tensor; empty where codes are fixed.
    package var latents: [String: Matrix]
    /// Biases and norms that are stored, in FP32.
    package var vectors: [String: [Float]]
    /// How vectors are stored.
    package let vectorType: Scheme.FloatType
    /// What each matrix is, by tensor.
    package let matrices: [String: TrainedMatrix]

    /// The parameters of packed matrices and of vectors.
    ///
    /// - Parameters:
    ///   - vectors: those that are stored; constant ones stay as they are.
    ///   - latents: where latent weights start, by tensor; nil for fixed codes.
    /// - Throws: `PackedMatrixError` where parts do not fit their scheme.
    package init(
        _ packed: [String: PackedMatrix], vectors: [String: [Float]], as vectorType: Scheme.FloatType,
        latents: [String: Matrix] = [:], layout: ModelLayout
    ) throws {
        codes = try packed.mapValues { try Quantizer.trainable($0) }
        matrices = Self.matrices(packed, layout)
        self.latents = latents
        self.vectors = vectors
        self.vectorType = vectorType
    }

    /// What each packed matrix is, by tensor.
    package static func matrices(
        _ packed: [String: PackedMatrix], _ layout: ModelLayout
    ) -> [String: TrainedMatrix] {
        var matrices: [String: TrainedMatrix] = [:]
        for (place, sublayer) in layout.sublayers.enumerated() {
            for shape in sublayer.matrices {
                guard let matrix = packed[shape.tensor] else { continue }
                matrices[shape.tensor] = TrainedMatrix(
                    tensor: shape.tensor, sublayer: sublayer.name, place: place, scheme: matrix.scheme,
                    columns: shape.columns)
            }
        }
        return matrices
    }

    /// The same parameters with other matrices.
    ///
    /// - Throws: `PackedMatrixError` where parts do not fit their scheme.
    func over(_ packed: [String: PackedMatrix]) throws -> TrainedModel {
        var model = self
        model.codes = try packed.mapValues { try Quantizer.trainable($0) }
        return model
    }

    /// Vectors as they are stored.
    package var storedVectors: [String: [Float]] { vectorType.stored(vectors) }

    /// The packed matrices.
    package func packed() throws -> [String: PackedMatrix] { try codes.mapValues { try $0.packed() } }

    /// The network that a step runs, for forwards and backwards: its weights as `roles` has them, by tensor.
    ///
    /// - Parameter seed: of the step's noise.
    func network<Net: Network>(
        over full: Net, _ roles: [String: MatrixRole], seed: UInt64 = 0, threads: Int
    ) throws -> Net {
        let names = codes.keys.sorted()
        let operators = try concurrentMap(count: names.count, threads: threads) { index in
            weights(
                of: names[index], roles[names[index]] ?? MatrixRole(),
                seed: seed &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(index))
        }
        var matrices: [String: any LinearOperator] = [:]
        for (name, matrix) in zip(names, operators) { matrices[name] = matrix }
        return try full.replacing(matrices, vectors: storedVectors)
    }

    private func weights(of tensor: String, _ role: MatrixRole, seed: UInt64) -> TrainingMatrix? {
        guard let codes = codes[tensor], let matrix = matrices[tensor] else { return nil }
        let activations = role.quantizesInputs ? matrix.scheme.family.activations : .fp32
        guard let latent = latents[tensor] else {
            return TrainingMatrix(codes.decoded(), activations: activations)
        }
        switch role.weights {
        case .codes: return TrainingMatrix(codes.decoded(), activations: activations)
        case .latent: return TrainingMatrix(latent, activations: activations)
        case .noise(let noise):
            return TrainingMatrix(
                noise.applied(to: latent, quantized: codes.decoded(), scheme: matrix.scheme, seed: seed),
                activations: activations)
        }
    }

    /// The network over what codes stand for.
    func network<Net: Network>(over full: Net, threads: Int) throws -> Net {
        try network(over: full, [:], threads: threads)
    }

    /// Lets codes follow latent weights as `roles` has it.
    mutating func follow(_ roles: [String: MatrixRole], threads: Int) throws {
        for (tensor, matrix) in matrices {
            guard let latent = latents[tensor], let following = roles[tensor]?.following else { continue }
            switch following {
            case .nothing: break
            case .recoding: codes[tensor]?.recode(latent, threads: threads)
            case .fitting: try codes[tensor]?.refit(latent, as: matrix.scheme, threads: threads)
            case .replacing:
                try codes[tensor]?.refit(latent, as: matrix.scheme, threads: threads)
                latents[tensor] = codes[tensor]?.decoded()
            }
        }
    }

    /// The names of all parameters, in a fixed order.
    var parameters: [Parameter] {
        codes.keys.sorted().flatMap { tensor -> [Parameter] in
            (codes[tensor]?.numbers.isEmpty == false ? [.numbers(tensor)] : [])
                + (latents[tensor] != nil ? [.weights(tensor)] : [])
        } + vectors.keys.sorted().map { .vector($0) }
    }

    /// An array that is learned.
    package enum Parameter: Hashable, Sendable, CustomStringConvertible {
        /// What stands beside the codes of a matrix.
        case numbers(String)
        /// The latent weights of a matrix.
        case weights(String)
        /// A bias or norm.
        case vector(String)

        /// Kind and tensor, as checkpoints and messages name it.
        package var description: String {
            switch self {
            case .numbers(let tensor): "numbers.\(tensor)"
            case .weights(let tensor): "weights.\(tensor)"
            case .vector(let name): "vector.\(name)"
            }
        }
    }

    /// The values of a parameter.
    subscript(parameter: Parameter) -> [Float] {
        get {
            switch parameter {
            case .numbers(let tensor): codes[tensor]?.numbers ?? []
            case .weights(let tensor): latents[tensor]?.storage ?? []
            case .vector(let name): vectors[name] ?? []
            }
        }
        set {
            switch parameter {
            case .numbers(let tensor): codes[tensor]?.numbers = newValue
            case .weights(let tensor): latents[tensor]?.storage = newValue
            case .vector(let name): vectors[name] = newValue
            }
        }
    }
}

extension Scheme.FloatType {
    /// Vectors as a packed model of this type holds them.
    package func stored(_ vectors: [String: [Float]]) -> [String: [Float]] {
        self == .fp32
            ? vectors : vectors.mapValues { $0.map { HalfPrecision.widen(HalfPrecision.finite($0)) } }
    }
}
