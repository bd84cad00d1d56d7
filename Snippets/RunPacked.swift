// Packs a model under one scheme and answers lines of text with it.
// usage: RunPacked MODEL OUTPUT LINE...
import Bitplan
import Foundation

// snippet.hide
let words = Array(CommandLine.arguments.dropFirst())
guard words.count >= 3 else { fatalError("usage: RunPacked MODEL OUTPUT LINE...") }
// snippet.show

let model = try Model(at: URL(fileURLWithPath: words[0]))
let plan = try model.plan(.uniform(.bcq(4)))
let packed = try model.quantize(plan, to: URL(fileURLWithPath: words[1]))
for answer in try packed.answer(Array(words[2...])) { print(answer) }
