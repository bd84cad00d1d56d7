/// A plan by name, for any model that has the sublayers for it.
public enum Preset: Hashable, Sendable, LosslessStringConvertible {
    /// The bits of Chung et al. with Algorithm 1's r: `chung` (r = 1), `chung:4`.
    case chung(ratio: Int)
    /// SensiMix's map with so many lower and upper layers: `sensimix:3+3`.
    case sensimix(lower: Int, upper: Int)
    /// QuantNoise's product codes with codewords in FP16 or 8 bits, with activations as they are or rounded
    /// to 8 bits: `ipq`, `ipq:int8`, `ipq:int8:a8`.
    case ipq(Scheme.CentroidType, roundsActivations: Bool)
    /// One scheme for all sublayers: `bcq3`.
    case uniform(Scheme)

    /// The preset that `text` names.
    ///
    /// - Throws: `PresetError` where nothing is called so, or its numbers are none.
    public init(named text: String) throws(PresetError) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts[0] {
        case "chung":
            guard let ratio = parts.count == 1 ? 1 : Int(parts[1]), (1...64).contains(ratio) else {
                throw .malformed(text, expected: "chung:R with R from 1 to 64")
            }
            self = .chung(ratio: ratio)
        case "sensimix":
            let counts = parts.dropFirst().flatMap {
                $0.split(separator: "+", omittingEmptySubsequences: false).map { Int($0) }
            }
            guard counts.count == 2, let lower = counts[0], let upper = counts[1] else {
                throw .malformed(text, expected: "sensimix:LOWER+UPPER, such as sensimix:3+3")
            }
            self = .sensimix(lower: lower, upper: upper)
        case "ipq":
            switch text {
            case "ipq": self = .ipq(.fp16, roundsActivations: false)
            case "ipq:int8": self = .ipq(.int8, roundsActivations: false)
            case "ipq:int8:a8": self = .ipq(.int8, roundsActivations: true)
            default: throw .malformed(text, expected: "ipq, ipq:int8 or ipq:int8:a8")
            }
        default:
            guard let scheme = Scheme(text) else { throw .unknown(text) }
            self = .uniform(scheme)
        }
    }

    /// The preset that `text` names; nil where there is none.
    public init?(_ text: String) { try? self.init(named: text) }

    /// The text form.
    public var description: String {
        switch self {
        case .chung(let ratio): ratio == 1 ? "chung" : "chung:\(ratio)"
        case .sensimix(let lower, let upper): "sensimix:\(lower)+\(upper)"
        case .ipq(let storage, let roundsActivations):
            "ipq" + (storage == .int8 ? ":int8" : "") + (roundsActivations ? ":a8" : "")
        case .uniform(let scheme): scheme.description
        }
    }

    /// The schemes of a model's sublayers, in their order.
    ///
    /// - Parameter modelType: what errors call the model.
    /// - Throws: `PresetError` where the model has not the sublayers for it.
    public func schemes(of layout: ModelLayout, modelType: String) throws(PresetError) -> [Scheme] {
        switch self {
        case .uniform(let scheme): return layout.uniform(scheme)
        case .ipq(let storage, let roundsActivations):
            return layout.ipq(storage, roundsActivations: roundsActivations)
        case .chung(let ratio):
            guard let schemes = layout.chung(ratio: ratio) else {
                throw .otherModel(self, needs: "an encoder and a decoder", got: "a \(modelType)")
            }
            return schemes
        case .sensimix(let lower, let upper):
            guard let schemes = layout.sensimix(lower: lower, upper: upper) else {
                let layers = Set(layout.sublayers.filter { $0.name.kind == .feedForward }.map(\.name.depth))
                    .count
                throw .otherModel(
                    self, needs: "so many layers of attention and feed-forward",
                    got: "a \(modelType) with \(layers)")
            }
            return schemes
        }
    }
}

/// Why a preset gives no plan; one line each.
public enum PresetError: Error, Hashable, Sendable, CustomStringConvertible {
    /// Nothing is called so.
    case unknown(String)
    /// The numbers behind its name cannot be read.
    case malformed(String, expected: String)
    /// The model has not the sublayers for it.
    case otherModel(Preset, needs: String, got: String)

    /// One line: what is wrong, expected and got.
    public var description: String {
        switch self {
        case .unknown(let name): "no preset or scheme is called '\(name)'"
        case .malformed(let text, let expected): "preset '\(text)': expected \(expected)"
        case .otherModel(let preset, let needs, let got):
            "preset \(preset): expected a model with \(needs), got \(got)"
        }
    }
}

extension ModelLayout {
    /// The bits that Chung et al. chose by hand: `Emb` by frequency (4 clusters, ratio 1: 2.5 bits), `Dec` 2,
    /// 3, 1 and `Enc` 3, 4.
    ///
    /// - Parameter ratio: Algorithm 1's r: 1, 4 and 8 give the paper's 2.5, 1.3 and 1.1 bits.
    /// Vectors are FP32, which the paper's sizes count.
    /// - Source: Chung et al. 2020, section 4 and Table 2 (`2.5,1.8,3.7`).
    /// - Returns: nil for a model without the sublayer kinds of an encoder-decoder.
    public func chung(ratio: Int = 1) -> [Scheme]? {
        let bits: [SublayerKind: Int] = [
            .encoderSelfAttention: 3, .encoderFeedForward: 4,
            .decoderSelfAttention: 2, .decoderRecurrence: 2, .decoderCrossAttention: 3,
            .decoderFeedForward: 1,
        ]
        var schemes: [Scheme] = []
        for sublayer in sublayers {
            if sublayer.isVectors {
                schemes.append(.fp32)
            } else if sublayer.name.kind == .embedding {
                schemes.append(.clusteredCodes(clusters: 4, ratio: ratio, alphas: .fp32))
            } else if let bits = bits[sublayer.name.kind] {
                schemes.append(.bcq(bits))
            } else {
                return nil
            }
        }
        return schemes
    }

    /// SensiMix's map: `Emb` and `Attention` as 8-bit index; `FFN` as 8-bit index in the `lower` layers, as
    /// unscaled signs with signs for inputs in the `upper` ones; everything else FP16, the `FFN` of layers
    /// between them too.
    ///
    /// The paper drops the layers that its two counts leave over: a model without them is another model,
    /// which has no layers between. Positions are embeddings and go with `Emb`.
    /// - Source: Piao et al. 2022, `SensiMix(lower + upper)`.
    /// - Returns: nil for a model without `Attention` and `FFN` by depth, or with fewer layers.
    public func sensimix(lower: Int, upper: Int) -> [Scheme]? {
        let layers = Set(sublayers.filter { $0.name.kind == .feedForward }.map(\.name.depth)).count
        guard layers > 0, lower >= 0, upper >= 0, lower <= layers, upper <= layers - lower else { return nil }
        return sublayers.map { sublayer in
            switch sublayer.name.kind {
            case .vectors: .fp32
            case .embedding, .positions, .attention: .index8
            case .feedForward:
                switch sublayer.name.depth ?? 0 {
                case ..<lower: .index8
                case (layers - upper)...: .sign(scaled: false)
                default: .full(.fp16)
                }
            default: .full(.fp16)
            }
        }
    }

    /// QuantNoise's product codes, 256 codewords a matrix: subvectors of 8 weights for embeddings and
    /// feed-forward, of 4 for attention; what is left (positions, pooler, heads) is FP16.
    ///
    /// - Source: Stock, Fan et al. 2020, appendix; the block sizes of the code published with it.
    public func ipq(_ storage: Scheme.CentroidType, roundsActivations: Bool = false) -> [Scheme] {
        func codes(block: Int) -> Scheme {
            .productCodes(
                block: block, centroids: 256, storage: storage, roundsActivations: roundsActivations)
        }
        return sublayers.map { sublayer in
            switch sublayer.name.kind {
            case .vectors: .fp32
            case .embedding, .encoderFeedForward, .decoderFeedForward, .feedForward:
                codes(block: 8)
            case .attention, .encoderSelfAttention, .decoderSelfAttention, .decoderCrossAttention,
                .decoderRecurrence:
                codes(block: 4)
            default: .full(.fp16)
            }
        }
    }
}
