/// How the codes of a scheme are fitted to the weights, apart from how they are stored.
public enum CodeFit: String, Codable, Hashable, Sendable, CaseIterable {
    /// One plane after the other, each on what the planes before left over. Source: Guo et al. 2017; Chung et
    /// al. 2020.
    case greedy
    /// Greedy planes, all alphas solved again by least squares after each. Source: Guo et al. 2017, algorithm
    /// 2.
    case refined
    /// Alphas by least squares and nearest codes in turn. Source: Xu et al. 2018.
    case alternating
    /// Second-order error feedback from the inputs that the layer sees on calibration text.
    case calibrated
    /// The same, with errors weighted also by what the model's predictions make of the layer's outputs, from
    /// gradients on that text: feedback along rows too, where a scheme's codes allow it. Source: Tseng et al.
    /// 2025 (YAQA).
    case curvature
    /// Not at all: training elsewhere has left the codes beside the model's weights
    /// (`Scripts/torch/bitplan_torch`).
    case stored

    /// Whether codes are fitted to text.
    public var isCalibrated: Bool { self == .calibrated || self == .curvature }
}
