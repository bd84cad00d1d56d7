/// What stands for the loss in a sensitivity table where measuring it is too dear. No proxy replaces a
/// measurement: a plan made from one is measured before it is written.
///
/// With dW = W - W^ of a matrix, H = X'X of its inputs on calibration text:
public enum ProxySignal: String, Codable, Hashable, Sendable, CaseIterable {
    /// Squared weight error: |dW|^2 summed over the sublayer's matrices. Nothing is run.
    case weight
    /// Output error: tr(dW H dW') summed over the sublayer's matrices, a token's mean. One run over the text.
    /// Source: the objective of Frantar et al. 2023 (GPTQ).
    case output
    /// Second order: output error times half the mean curvature of KL in the outputs, an estimate of KL in
    /// nats. The curvature is the trace of the Fisher information beside that of H, found by Hutchinson's
    /// method: two runs of few items for every matrix, whatever the number of schemes. Source: Dong et al.
    /// 2020 (HAWQ-V2), for the trace.
    case fisher

    /// Whether its values estimate KL in nats, and not only its order.
    public var estimatesKL: Bool { self == .fisher }
}
