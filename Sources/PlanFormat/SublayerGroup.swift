/// Sublayers that a row of the sensitivity table changes together: all of a kind, or a whole stack.
public struct SublayerGroup: Hashable, Sendable {
    /// A kind (`Enc_ee`) or a stack (`Enc`).
    public let name: String
    /// Indices into the layout's sublayers, in order of execution.
    public let members: [Int]
}

extension ModelLayout {
    /// The rows of a table by kind, in the layout of Chung's Table 1: every stack before the kinds that it is
    /// made of.
    public var groups: [SublayerGroup] {
        var names: [SublayerKind] = []
        for kind in sublayers.filter({ !$0.isVectors }).map(\.name.kind) {
            if let stack = kind.stack.map({ SublayerKind(rawValue: $0) }), !names.contains(stack) {
                names.append(stack)
            }
            if !names.contains(kind) { names.append(kind) }
        }
        // Kinds of a stack follow it, whatever stands between them in the model.
        let ordered = names.filter { $0.stack == nil }.flatMap { name in
            [name] + names.filter { $0.stack == name.rawValue }
        }
        return ordered.map { name in
            SublayerGroup(
                name: name.rawValue,
                members: sublayers.indices.filter {
                    let kind = sublayers[$0].name.kind
                    return kind == name || kind.stack == name.rawValue
                })
        }
    }
}
