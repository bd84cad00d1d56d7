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
    private let schemes: [String: Scheme]
    private let kinds: [String: SublayerKind]

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
        schemes = packed.mapValues(\.scheme)
        kinds = Dictionary(
            layout.sublayers.flatMap { sublayer in sublayer.matrices.map { ($0.tensor, sublayer.name.kind) } }
        ) { first, _ in first }
        self.latents = latents
        self.vectors = vectors
        self.vectorType = vectorType
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
    package var storedVectors: [String: [Float]] {
        vectorType == .fp32
            ? vectors
            : vectors.mapValues { $0.map { HalfPrecision.widen(HalfPrecision.finite($0)) } }
    }

    /// The packed matrices.
    package func packed() throws -> [String: PackedMatrix] { try codes.mapValues { try $0.packed() } }

    /// The network over these parameters, for forwards and backwards.
    func network<Net: Network>(over full: Net, threads: Int) throws -> Net {
        let names = codes.keys.sorted()
        let operators = try concurrentMap(count: names.count, threads: threads) { index in
            codes[names[index]].map {
                TrainingMatrix(
                    $0.decoded(), activations: schemes[names[index]]?.family.activations ?? .fp32)
            }
        }
        var matrices: [String: any LinearOperator] = [:]
        for (name, matrix) in zip(names, operators) { matrices[name] = matrix }
        return try full.replacing(matrices, vectors: storedVectors)
    }

    /// The network over latent weights and vectors as they are.
    func latentNetwork<Net: Network>(over full: Net) throws -> Net {
        try full.replacing(latents.mapValues { TrainingMatrix($0) }, vectors: vectors)
    }

    /// Codes the latent weights anew, numbers included, and puts what codes stand for in their place where
    /// `isReplaced` says so of a tensor's sublayer.
    mutating func replaceWeights(threads: Int, isReplaced: (SublayerKind) -> Bool) throws {
        for (tensor, latent) in latents {
            guard let scheme = schemes[tensor] else { continue }
            try codes[tensor]?.refit(latent, as: scheme, threads: threads)
            if let kind = kinds[tensor], isReplaced(kind) { latents[tensor] = codes[tensor]?.decoded() }
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
    enum Parameter: Hashable, Sendable, CustomStringConvertible {
        /// What stands beside the codes of a matrix.
        case numbers(String)
        /// The latent weights of a matrix.
        case weights(String)
        /// A bias or norm.
        case vector(String)

        /// Kind and tensor, as checkpoints and messages name it.
        var description: String {
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

    /// Codes anew, from the latent weights.
    mutating func recode(threads: Int) throws {
        for (tensor, latent) in latents { codes[tensor]?.recode(latent, threads: threads) }
    }
}
