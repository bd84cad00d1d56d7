import Foundation
import Models
import PlanFormat
import Sensitivity
import TestSupport

/// The fixture with some of its sentences, opened once for all tests.
struct Bench: Sendable {
    let model: Model<MarianFamily>
    let network: MarianNetwork
    let examples: [MarianNetwork.Example]
    let encodings: Encodings<MarianFamily>

    static let shared: Result<Bench, any Error> = Result {
        let root = TestFiles.root.appending(path: "Fixtures")
        let model = try Model<MarianFamily>(directory: root.appending(path: "tatoeba-en-de"))
        let files = ["data/plan.en", "data/plan.de"].map { root.appending(path: $0) }
        return Bench(
            model: model, network: try model.network(),
            examples: try model.family.dataset(files, limit: 140).examples,
            encodings: Encodings(model, fit: .greedy))
    }

    /// A measurer over the first examples.
    func measurer(_ count: Int, threads: Int = 2) throws -> Measurer<MarianFamily> {
        Measurer(
            encodings: encodings,
            evaluator: try Evaluator(
                reference: network, examples: Array(examples[..<count]), threads: threads))
    }
}
