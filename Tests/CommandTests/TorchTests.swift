import Foundation
import TestSupport
import Testing

extension Program {
    /// Whether the interpreter has PyTorch and transformers.
    fileprivate static let hasTorch: Bool = {
        guard let python else { return false }
        // A folder named torch is a package of nothing: what counts is that it has tensors.
        let probe = ["-c", "import torch, transformers; torch.Tensor"]
        return (try? run(URL(filePath: python), probe))?.status == 0
    }()
}

/// What `Scripts/torch/bitplan_torch` does beside the engine, where Python has PyTorch and transformers.
@Suite(.enabled(if: Program.hasTorch, "needs PyTorch and transformers in the Python of BITPLAN_PYTHON"))
struct TorchTests {
    /// Runs a script, and expects that it succeeds.
    private func run(_ script: String, _ arguments: [String]) throws {
        let python = URL(filePath: try #require(Program.python))
        let outcome = try Program.run(
            python, [TestFiles.root.appending(path: script).path] + arguments,
            environment: ["BITPLAN": try Program.executable().path, "PYTHONDONTWRITEBYTECODE": "1"])
        print(outcome.text)
        #expect(outcome.status == 0, "\(outcome.text)\(outcome.error)")
    }

    /// Losses, gradients, codes and decoded weights are those that the engine is held beside.
    @Test func goldens() throws { try run("Scripts/goldens/torch_bridge.py", ["--check"]) }

    @Test(arguments: [
        "test_families", "test_codes_follow", "test_starts_at_the_packed_codes", "test_trainer",
        "test_loss_falls",
        "test_refusals",
        "test_every_scheme",
    ])
    func script(_ name: String) throws { try run("Scripts/torch/test_bitplan_torch.py", [name]) }
}
