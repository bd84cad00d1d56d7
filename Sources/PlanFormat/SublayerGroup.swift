/// Sublayers that a row of the sensitivity table changes together: all of a type, or a whole stack.
public struct SublayerGroup: Hashable, Sendable {
    /// A type (`Enc_ee`) or the part before its underscore (`Enc`).
    public let name: String
    /// Indices into the layout's sublayers, in order of execution.
    public let members: [Int]
}

extension ModelLayout {
    /// The rows of a table by type, in the layout of Chung's Table 1: every stack before the types that it is made of.
    public var groups: [SublayerGroup] {
        func stack(_ type: String) -> String? { type.firstIndex(of: "_").map { String(type[..<$0]) } }
        var names: [String] = []
        for type in sublayers.map(\.name.type) {
            if let stack = stack(type), !names.contains(stack) { names.append(stack) }
            if !names.contains(type) { names.append(type) }
        }
        // Types of a stack follow it, whatever stands between them in the model.
        let ordered = names.filter { stack($0) == nil }.flatMap { name in
            [name] + names.filter { stack($0) == name }
        }
        return ordered.map { name in
            SublayerGroup(
                name: name,
                members: sublayers.indices.filter {
                    let type = sublayers[$0].name.type
                    return type == name || stack(type) == name
                })
        }
    }
}
