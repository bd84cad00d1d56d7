/// What a plan gives a scheme of its own.
public enum PlanUnit: String, Codable, Hashable, Sendable, CaseIterable {
    /// A sublayer: all its matrices have one scheme.
    case sublayer
    /// A matrix.
    case matrix
}

extension ModelLayout {
    /// The layout whose sublayers are `unit`s.
    ///
    /// Matrices are called by what distinguishes their tensors: `Enc_ee.0.q_proj` is
    /// `model.encoder.layers.0.self_attn.q_proj.weight`. A sublayer of one matrix keeps its name.
    public func divided(into unit: PlanUnit) -> ModelLayout {
        guard unit == .matrix else { return self }
        let rows = sublayers.flatMap { sublayer -> [SublayerShape] in
            guard sublayer.matrices.count > 1, sublayer.name.part == nil else { return [sublayer] }
            return zip(Self.partNames(sublayer.matrices.map(\.tensor)), sublayer.matrices).map {
                part, matrix in
                SublayerShape(
                    name: SublayerName(sublayer.name.kind, depth: sublayer.name.depth, part: part),
                    matrices: [matrix])
            }
        }
        return ModelLayout(
            sublayers: rows, fixedParameters: fixedParameters, fixedBytes: fixedBytes, work: work)
    }

    /// The unit that the layout is divided into.
    public var unit: PlanUnit { sublayers.contains { $0.name.part != nil } ? .matrix : .sublayer }

    /// The shortest ends of tensors' names that tell them apart, without `.weight`.
    private static func partNames(_ tensors: [String]) -> [String] {
        let words = tensors.map { tensor in
            var words = tensor.split(separator: ".").map(String.init)
            if words.count > 1, words.last == "weight" { words.removeLast() }
            return words
        }
        let longest = words.map(\.count).max() ?? 1
        for length in 1...max(1, longest) {
            let ends = words.map { $0.suffix(length).joined(separator: ".") }
            if Set(ends).count == ends.count { return ends }
        }
        return tensors
    }

    /// Per sublayer, the step of execution that it takes part in, from 0: parts share that of their sublayer,
    /// and vectors are there from the first.
    public var places: [Int] {
        var places: [Int] = []
        var place = -1
        var last: String?
        for sublayer in sublayers {
            if sublayer.isVectors {
                places.append(0)
                continue
            }
            if sublayer.name.sublayer != last { place += 1 }
            last = sublayer.name.sublayer
            places.append(place)
        }
        return places
    }

    /// What is run of a sublayer; of a part, what is run of its matrix, and with the first of them what the
    /// sublayer runs without matrices.
    public func work(of index: Int) -> SublayerWork {
        let sublayer = sublayers[index]
        guard let work = work?[sublayer.name] else { return SublayerWork(products: []) }
        guard sublayer.name.part != nil else { return work }
        let name = sublayer.name.sublayer
        let part = sublayers[..<index].reversed().prefix { $0.name.sublayer == name }.count
        return SublayerWork(
            products: work.products.filter { $0.matrices.contains(part) }.map {
                .init([0], $0.pass, isActivated: $0.isActivated)
            }, attentions: part == 0 ? work.attentions : [], lookups: part == 0 ? work.lookups : [])
    }

    /// The plan that gives every matrix one scheme; vectors are FP16 then, unless the scheme is FP32.
    public func uniform(_ scheme: Scheme) -> [Scheme] {
        sublayers.map { $0.isVectors && scheme != .fp32 ? .full(.fp16) : scheme }
    }

    /// The candidates that a whole model may have: those by the frequency of tokens are for embeddings.
    public func uniformCandidates(_ candidates: [Scheme]) -> [Scheme] {
        let others = candidates.filter { !$0.family.usesRowFrequencies }
        return others.isEmpty ? candidates : others
    }

    /// The scheme of all matrices, where a plan gives them one.
    public func uniformScheme(of assignment: [Scheme]) -> Scheme? {
        let schemes = Set(zip(sublayers, assignment).filter { !$0.0.isVectors }.map(\.1))
        return schemes.count == 1 ? schemes.first : nil
    }

    /// What every tensor becomes under a plan.
    public func tensorSchemes(_ assignment: [Scheme]) -> TensorSchemes {
        var schemes = TensorSchemes(matrices: [:], vectors: .fp32)
        for (sublayer, scheme) in zip(sublayers, assignment) {
            if sublayer.isVectors { schemes.vectors = scheme == .fp32 ? .fp32 : .fp16 }
            for matrix in sublayer.matrices { schemes.matrices[matrix.tensor] = scheme }
        }
        return schemes
    }
}

/// What every tensor of a model becomes.
public struct TensorSchemes: Hashable, Sendable {
    /// The schemes of the matrices, by tensor.
    public var matrices: [String: Scheme]
    /// How biases and norms are stored.
    public var vectors: Scheme.FloatType

    /// The scheme of a matrix; FP32 where nothing is said of it.
    public subscript(tensor: String) -> Scheme { matrices[tensor] ?? .fp32 }

    /// What every tensor becomes.
    public init(matrices: [String: Scheme], vectors: Scheme.FloatType) {
        self.matrices = matrices
        self.vectors = vectors
    }
}

extension Plan {
    /// A model's layout in the units that the plan names.
    public func layout(of layout: ModelLayout) -> ModelLayout {
        let namesParts = sublayers.keys.contains { SublayerName($0)?.part != nil }
        return layout.divided(into: namesParts ? .matrix : .sublayer)
    }

    /// What every tensor of a model becomes, whatever units the plan names.
    ///
    /// - Throws: as `schemes(of:)`.
    public func tensorSchemes(of layout: ModelLayout) throws(PlanError) -> TensorSchemes {
        let units = self.layout(of: layout)
        return units.tensorSchemes(try schemes(of: units))
    }
}
