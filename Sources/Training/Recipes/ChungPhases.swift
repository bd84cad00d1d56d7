import PlanFormat

/// Weights in full precision, replaced by what their codes stand for every few steps: those of the embedding
/// in the first third of the run, those of decoders too in the second, all in the last.
///
/// - Source: Chung et al. 2020, section 3.3.
package struct ChungPhases: TrainingMethod {
    let settings: TrainingSettings

    package func role(of matrix: TrainedMatrix, at step: Int) -> MatrixRole {
        let isReplaced =
            settings.recodes(behind: step) && isQuantized(matrix.sublayer.kind, at: step + 1)
        return MatrixRole(
            weights: .latent, quantizesInputs: false, learnsWeights: true,
            following: isReplaced ? .replacing : .nothing)
    }

    private func isQuantized(_ kind: SublayerKind, at step: Int) -> Bool {
        if kind == .embedding { return true }
        let phase = 3 * step / max(1, settings.steps)
        return phase >= (kind.stack == SublayerKind.decoderStack ? 1 : 2)
    }
}
