/// What changes when one sublayer of a plan takes another scheme, the others staying as they are.
public struct SublayerStep: Codable, Hashable, Sendable {
    /// The sublayer that changes.
    public let sublayer: SublayerName
    /// What it becomes.
    public let scheme: Scheme
    /// Bytes that the model grows by; negative where it shrinks.
    public let bytesChange: Int
    /// Change of the mean KL per prediction, in nats; negative where the model gets better.
    public let klChange: Double
    /// Standard error of `klChange`; nil where none is known.
    public let standardError: Double?

    /// A step from its parts.
    public init(
        sublayer: SublayerName, scheme: Scheme, bytesChange: Int, klChange: Double, standardError: Double?
    ) {
        self.sublayer = sublayer
        self.scheme = scheme
        self.bytesChange = bytesChange
        self.klChange = klChange
        self.standardError = standardError
    }
}

extension SensitivityTable {
    /// Every change of one sublayer of a plan that the table knows of, as the difference of two of its cells.
    ///
    /// The table does not keep how the errors of two cells of one row go together (they were measured on the
    /// same sentences, mostly both too high or both too low), so the step has the sum of the two: the most
    /// that it can be.
    /// - Parameter schemes: one per sublayer of the table's layout, in its order.
    public func steps(from schemes: [Scheme]) -> [SublayerStep] {
        zip(layout.sublayers, schemes).flatMap { sublayer, scheme -> [SublayerStep] in
            guard let from = cell(sublayer.name, scheme) else { return [] }
            return self.schemes(of: sublayer.name).filter { $0 != scheme }.compactMap { candidate in
                cell(sublayer.name, candidate).map { to in
                    SublayerStep(
                        sublayer: sublayer.name, scheme: candidate, bytesChange: to.bytes - from.bytes,
                        klChange: to.measurement.klNats - from.measurement.klNats,
                        standardError: from.measurement.standardError.flatMap { error in
                            to.measurement.standardError.map { error + $0 }
                        })
                }
            }
        }
    }

    /// The summed loss of a plan; nil where the table lacks the cell of a sublayer.
    ///
    /// - Parameter schemes: one per sublayer of the table's layout, in its order.
    public func summedLoss(of schemes: [Scheme]) -> Double? {
        var sum = 0.0
        for (sublayer, scheme) in zip(layout.sublayers, schemes) {
            guard let cell = cell(sublayer.name, scheme) else { return nil }
            sum += cell.measurement.klNats
        }
        return sum
    }
}
