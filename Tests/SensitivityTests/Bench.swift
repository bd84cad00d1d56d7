import BitplanEncoding
import BitplanModels
import BitplanSensitivity
import Foundation
import PlanFormat
import TestSupport

/// The fixture with some of its sentences, opened once for all tests.
struct Bench: Sendable {
    let model: Model<MarianFamily>
    let network: EncoderDecoderNetwork
    let examples: [EncoderDecoderNetwork.Example]
    let encodings: Encodings<MarianFamily>

    static let shared: Result<Bench, any Error> = Result {
        let root = TestFiles.root.appending(path: "Fixtures")
        let model = try Model<MarianFamily>(directory: root.appending(path: "tatoeba-en-de"))
        let files = ["data/plan.en", "data/plan.de"].map { root.appending(path: $0) }
        return Bench(
            model: model, network: try model.network(),
            examples: try model.family.task.dataset(files, limit: 140).examples,
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

/// A small model of the goldens with its network, and data in which `text` is.
func golden<Family: ModelFamily>(
    _ type: Family.Type, _ directory: String, data text: String
) throws -> (model: Model<Family>, network: Family.Net, examples: [Family.Net.Example]) {
    let file = FileManager.default.temporaryDirectory.appending(path: "bitplan-\(UUID().uuidString).tsv")
    try Data(text.utf8).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let goldens = TestFiles.root.appending(path: "Tests/ModelsTests/Goldens")
    let model = try Model<Family>(directory: goldens.appending(path: directory))
    return (model, try model.network(), try model.family.task.dataset([file], limit: nil).examples)
}
