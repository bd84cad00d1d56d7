extension ModelLayout {
    /// The bits that Chung et al. chose by hand: `Emb` by frequency (4 clusters, ratio 1: 2.5 bits), `Dec` 2, 3, 1 and `Enc` 3, 4.
    ///
    /// - Parameter ratio: Algorithm 1's r: 1, 4 and 8 give the paper's 2.5, 1.3 and 1.1 bits.
    /// - Source: Chung et al. 2020, section 4 and Table 2 (`2.5,1.8,3.7`).
    /// - Returns: nil for a model without the sublayer kinds of an encoder-decoder.
    public func chung(ratio: Int = 1) -> [Scheme]? {
        let bits: [SublayerKind: Int] = [
            .encoderSelfAttention: 3, .encoderFeedForward: 4,
            .decoderSelfAttention: 2, .decoderCrossAttention: 3, .decoderFeedForward: 1,
        ]
        var schemes: [Scheme] = []
        for sublayer in sublayers {
            if sublayer.name.kind == .embedding {
                schemes.append(.clusteredCodes(clusters: 4, ratio: ratio, alphas: .fp32))
            } else if let bits = bits[sublayer.name.kind] {
                schemes.append(.bcq(bits))
            } else {
                return nil
            }
        }
        return schemes
    }

    /// SensiMix's map: `Emb` and `Attention` as 8-bit index; `FFN` as 8-bit index in the `lower` layers, as unscaled signs with signs
    /// for inputs in the `upper` ones; everything else FP16, the `FFN` of layers between them too.
    ///
    /// The paper drops the layers that its two counts leave over: a model without them is another model, which has no layers between.
    /// Positions are embeddings and go with `Emb`.
    /// - Source: Piao et al. 2022, `SensiMix(lower + upper)`.
    /// - Returns: nil for a model without `Attention` and `FFN` by depth, or with fewer layers.
    public func sensimix(lower: Int, upper: Int) -> [Scheme]? {
        let layers = sublayers.count { $0.name.kind == .feedForward }
        guard layers > 0, lower >= 0, upper >= 0, lower <= layers, upper <= layers - lower else { return nil }
        return sublayers.map { sublayer in
            switch sublayer.name.kind {
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
}
