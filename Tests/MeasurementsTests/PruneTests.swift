import BitplanMeasurements
import BitplanTensors
import Foundation
import Testing

/// What no version asks for any more goes, and nothing else.
@Suite struct PruneTests {
    @Test func onlyOlderVersionsGo() throws {
        let directory = try StoreDirectory()
        let store = try MeasurementStore(directory.file("a"))
        var generator = SeededGenerator(seed: 10)
        func experiment(_ weights: String, version: Int) throws -> StoredExperiment {
            var key = Experiment.test(weights)
            key.version = version
            return try StoredExperiment(key, in: store)
        }
        let losses = generator.losses(2000)
        let current = Experiment.currentVersion
        for version in [current - 1, current, current + 1] {
            let cells = try experiment("first", version: version)
            try cells.record(losses, of: numbered(1))
            try cells.record(losses, of: numbered(2))
            try cells.record(.accuracy(isRight: [true]), metric: "m", of: numbered(1))
        }
        // A process is still at this one.
        let running = try experiment("running", version: current - 1)
        try running.record(losses, of: numbered(1))
        _ = try running.turn(numbered(2)) { _ in false }
        let before = try store.summary()

        let result = try store.prune()
        #expect(result.experiments == 1 && result.cells == 2 && result.metrics == 1)
        let after = try store.summary()
        #expect(
            after.experiments
                == before.experiments.filter { $0.version >= current || $0.claims > 0 })
        #expect(after.experiments.count == 3 && after.bytes < before.bytes)
        let kept = try experiment("first", version: current).cell(numbered(2))
        #expect(sameBits(kept.items, losses))
        let again = try store.prune()
        #expect(again.experiments == 0 && again.cells == 0 && again.metrics == 0)
    }
}
