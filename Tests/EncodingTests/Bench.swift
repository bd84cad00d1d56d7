import BitplanModels
import Foundation
import TestSupport

/// The fixture with some of its sentences, opened once for all tests.
struct Bench: Sendable {
    let model: Model<MarianFamily>
    let network: EncoderDecoderNetwork
    let examples: [EncoderDecoderNetwork.Example]

    static let shared: Result<Bench, any Error> = Result {
        let root = TestFiles.root.appending(path: "Fixtures")
        let model = try Model<MarianFamily>(directory: root.appending(path: "tatoeba-en-de"))
        let files = ["data/plan.en", "data/plan.de"].map { root.appending(path: $0) }
        return Bench(
            model: model, network: try model.network(),
            examples: try model.family.task.dataset(files, limit: 140).examples)
    }
}
