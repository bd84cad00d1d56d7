// The text form: a name, then options after colons. Examples: bcq3, bcq2:g64:fp16, emb4:r2, int4:g64, int8:tensor:asym,
// nf4, nf4:dq, pq:b8:k256:int8, index8, sign, sign:mean, bitlinear, bitlinear:4, w8a8, fp32, fp16.

extension Scheme: CustomStringConvertible, LosslessStringConvertible {
    /// The text form, as plans and the command line show it.
    public var description: String {
        switch self {
        case .full(let type): return type.rawValue
        case .binaryCodes(let bits, let group, let alphas):
            return "bcq\(bits)" + (group.map { ":g\($0)" } ?? "") + (alphas == .fp16 ? ":fp16" : "")
        case .clusteredCodes(let clusters, let ratio, let alphas):
            return "emb\(clusters):r\(ratio)" + (alphas == .fp16 ? ":fp16" : "")
        case .integer(let bits, let symmetric, let granularity, let scales):
            var text = "int\(bits)"
            switch granularity {
            case .tensor: text += ":tensor"
            case .row: break
            case .group(let columns): text += ":g\(columns)"
            }
            return text + (symmetric ? "" : ":asym") + (scales == .fp16 ? ":fp16" : "")
        case .normalFloat4(let block, let doubleQuantization):
            return "nf4" + (block == 64 ? "" : ":b\(block)") + (doubleQuantization ? ":dq" : "")
        case .productCodes(let block, let centroids, let storage):
            return "pq:b\(block):k\(centroids)" + (storage == .int8 ? ":int8" : "")
        case .index8: return "index8"
        case .sign(let scaled): return scaled ? "sign:mean" : "sign"
        case .bitLinear(let groups): return groups == 1 ? "bitlinear" : "bitlinear:\(groups)"
        case .integer8Activations: return "w8a8"
        }
    }

    /// Reads the text form; nil where it names no scheme.
    public init?(_ text: String) {
        var parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard let name = parts.first, !name.isEmpty else { return nil }
        parts.removeFirst()
        var options = Options(parts)
        guard let scheme = Scheme.read(name, &options), options.isEmpty else { return nil }
        self = scheme
    }

    private static func read(_ name: String, _ options: inout Options) -> Scheme? {
        if let bits = number(name, after: "bcq"), (1...8).contains(bits) {
            let group = options.take("g")
            return .binaryCodes(bits: bits, group: group, alphas: options.takeFloatType())
        }
        if let clusters = number(name, after: "emb"), (1...8).contains(clusters) {
            guard let ratio = options.take("r") else { return nil }
            return .clusteredCodes(clusters: clusters, ratio: ratio, alphas: options.takeFloatType())
        }
        if let bits = number(name, after: "int"), (2...8).contains(bits) {
            let granularity: Granularity
            if options.take(word: "tensor") {
                granularity = .tensor
            } else if let columns = options.take("g") {
                granularity = .group(columns)
            } else {
                granularity = .row
            }
            let symmetric = !options.take(word: "asym")
            return .integer(
                bits: bits, symmetric: symmetric, granularity: granularity, scales: options.takeFloatType())
        }
        switch name {
        case "fp32": return .full(.fp32)
        case "fp16": return .full(.fp16)
        case "nf4":
            let block = options.take("b") ?? 64
            return .normalFloat4(block: block, doubleQuantization: options.take(word: "dq"))
        case "pq":
            guard let block = options.take("b"), let centroids = options.take("k"),
                (2...256).contains(centroids)
            else { return nil }
            return .productCodes(
                block: block, centroids: centroids, storage: options.take(word: "int8") ? .int8 : .fp16)
        case "index8": return .index8
        case "sign": return .sign(scaled: options.take(word: "mean"))
        case "bitlinear": return .bitLinear(groups: options.take("") ?? 1)
        case "w8a8": return .integer8Activations
        default: return nil
        }
    }

    private static func number(_ text: String, after prefix: String) -> Int? {
        guard text.hasPrefix(prefix), text.count == prefix.count + 1 else { return nil }
        return Int(text.dropFirst(prefix.count))
    }

    /// The options after the name, taken in the order in which `description` writes them.
    private struct Options {
        private var rest: ArraySlice<String>

        init(_ parts: [String]) { rest = parts[...] }

        var isEmpty: Bool { rest.isEmpty }

        mutating func take(word: String) -> Bool {
            guard rest.first == word else { return false }
            rest.removeFirst()
            return true
        }

        /// A positive number behind `prefix`, at most 65536.
        mutating func take(_ prefix: String) -> Int? {
            guard let first = rest.first, first.hasPrefix(prefix) else { return nil }
            let digits = first.dropFirst(prefix.count)
            guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let value = Int(digits),
                (1...65536).contains(value)
            else { return nil }
            rest.removeFirst()
            return value
        }

        mutating func takeFloatType() -> FloatType { take(word: "fp16") ? .fp16 : .fp32 }
    }
}

extension Scheme: Codable {
    /// A scheme is stored as its text form.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    /// - Throws: `DecodingError.dataCorrupted` where the text names no scheme.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let scheme = Scheme(text) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "no scheme is called '\(text)'")
        }
        self = scheme
    }
}
