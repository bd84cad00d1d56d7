import Bitplan
import Models
import Tokenizers

// A type of each of the three modules.
let model = Model(name: "a model of the application's own")
let error = BitplanError("expected \(Tokenizer().tokens(of: model.name).count) words")
print(error)
