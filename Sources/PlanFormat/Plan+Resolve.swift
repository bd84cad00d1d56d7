/// What is wrong with a plan (or a sensitivity table) for a model; the line reads on from the name of its
/// file.
public enum PlanError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The plan was made for other weights.
    case otherModel(expected: ModelIdentity, got: ModelIdentity)
    /// A key names no sublayer of the model.
    case unknownSublayer(String)
    /// A key names a single matrix where whole sublayers have schemes.
    case otherUnit(String)
    /// No key covers a sublayer.
    case missingSublayer(SublayerName)
    /// Vectors are to be something else than FP16 or FP32.
    case vectorScheme(SublayerName, Scheme)
    /// A measured step says other bytes than its schemes have.
    case wrongStep(SublayerName, Scheme, expected: Int, got: Int)

    /// One line: what is wrong, expected and got.
    public var description: String {
        switch self {
        case .otherModel(let expected, let got):
            "is for another model: it names \(expected.type) \(expected.sha256.prefix(12)), "
                + "this is \(got.type) \(got.sha256.prefix(12))"
        case .unknownSublayer(let key): "names sublayer '\(key)', which the model does not have"
        case .otherUnit(let key):
            "names the single matrix '\(key)': expected whole sublayers, as the table has them "
                + "(--unit matrix of sweep makes one of matrices)"
        case .missingSublayer(let name): "says nothing of sublayer '\(name)'"
        case .vectorScheme(let name, let scheme):
            "says \(scheme) of '\(name)', which holds biases and norms: expected fp16 or fp32"
        case .wrongStep(let name, let scheme, let expected, let got):
            "says that the step of '\(name)' to \(scheme) takes \(got) bytes, expected \(expected)"
        }
    }
}

extension Plan {
    /// The scheme of every sublayer of `layout`, in its order: an exact name before a kind before `*`.
    /// Vectors that the plan says nothing of stay FP32.
    ///
    /// - Throws: `PlanError` where a key names nothing or a sublayer is left out.
    public func schemes(of layout: ModelLayout) throws(PlanError) -> [Scheme] {
        for key in sublayers.keys.sorted() where !layout.sublayers.contains(where: { $0.name.matches(key) }) {
            let whole = SublayerName(key).flatMap { $0.part == nil ? nil : $0.sublayer }
            throw layout.sublayers.contains { $0.name.description == whole }
                ? .otherUnit(key) : .unknownSublayer(key)
        }
        var schemes: [Scheme] = []
        for sublayer in layout.sublayers {
            let name = sublayer.name
            let said = name.patterns.lazy.compactMap { sublayers[$0] }.first
            guard let scheme = said ?? (sublayer.isVectors ? .fp32 : nil) else {
                throw .missingSublayer(name)
            }
            guard sublayer.options([scheme]).contains(scheme) else { throw .vectorScheme(name, scheme) }
            schemes.append(scheme)
        }
        return schemes
    }

    /// The steps that were measured around the plan.
    ///
    /// - Throws: `PlanError` where one is of a sublayer that `layout` does not have, or says other bytes than
    ///   its schemes have.
    public func steps(of layout: ModelLayout) throws(PlanError) -> [SublayerStep] {
        let schemes = try schemes(of: layout)
        for step in steps ?? [] {
            guard let index = layout.sublayers.firstIndex(where: { $0.name == step.sublayer }) else {
                throw .unknownSublayer(step.sublayer.description)
            }
            let sublayer = layout.sublayers[index]
            let expected = sublayer.sizeInBytes(step.scheme) - sublayer.sizeInBytes(schemes[index])
            guard step.bytesChange == expected else {
                throw .wrongStep(sublayer.name, step.scheme, expected: expected, got: step.bytesChange)
            }
        }
        return steps ?? []
    }

    /// Checks that the plan is for these weights.
    ///
    /// - Throws: `PlanError.otherModel`.
    public func check(for identity: ModelIdentity) throws(PlanError) {
        guard model == identity else { throw .otherModel(expected: model, got: identity) }
    }

    /// A plan that names every sublayer.
    public static func naming(
        _ schemes: [Scheme], of layout: ModelLayout, model: ModelIdentity, origin: PlanOrigin, fit: CodeFit
    ) -> Plan {
        let pairs = zip(layout.sublayers, schemes).map { ($0.name.description, $1) }
        return Plan(
            model: model, origin: origin, fit: fit, sublayers: Dictionary(uniqueKeysWithValues: pairs),
            predicted: Prediction(
                bytes: layout.sizeInBytes(schemes), fixedBytes: layout.fixedBytes, klNats: nil))
    }
}

extension ModelLayout {
    /// Exact bytes of the packed file under one scheme per sublayer.
    public func sizeInBytes(_ schemes: [Scheme]) -> Int {
        zip(sublayers, schemes).reduce(fixedBytes) { $0 + $1.0.sizeInBytes($1.1) }
    }
}
