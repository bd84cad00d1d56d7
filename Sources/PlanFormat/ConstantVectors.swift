/// Vectors of one number over and over: the header of a packed file says which they are, and the file does
/// not hold them.
public struct ConstantVectors: Hashable, Sendable {
    /// The number, by the vector's name.
    public let values: [String: Float]

    /// Vectors of these numbers.
    public init(_ values: [String: Float] = [:]) { self.values = values }

    /// As the header says it: `name number`, separated by spaces, in order of the names.
    package var text: String {
        values.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: " ")
    }

    /// Reads the text of a header; nil where it is none.
    package init?(text: String) {
        let words = text.split(separator: " ")
        guard words.count.isMultiple(of: 2) else { return nil }
        var values: [String: Float] = [:]
        for place in stride(from: 0, to: words.count, by: 2) {
            guard let value = Float(words[place + 1]), value.isFinite else { return nil }
            values[String(words[place])] = value
        }
        self.values = values
    }

    /// Bytes of the header of a packed file, its length included: enough for every plan of the model, so that
    /// the bytes of a plan follow from shapes alone.
    package var headerBytes: Int { 512 + (text.utf8.count + 63) / 64 * 64 }
}

extension ModelLayout {
    /// The layout of the packed file of a network: the vectors that it stores are a last sublayer.
    ///
    /// - Parameters:
    ///   - vectors: lengths of all vectors, by name: the network's fixed parameters.
    ///   - constants: those of them that are not stored.
    package func packed(
        vectors: [(name: String, count: Int)], constants: ConstantVectors
    ) -> ModelLayout {
        let stored = vectors.filter { constants.values[$0.name] == nil }.reduce(0) { $0 + $1.count }
        return ModelLayout(
            sublayers: sublayers + (stored > 0 ? [.vectors(stored)] : []),
            fixedParameters: vectors.reduce(-stored) { $0 + $1.count },
            fixedBytes: constants.headerBytes, work: work)
    }
}
