// Prints what every sublayer loses at 2, 3 and 4 bits as a Markdown table.
// usage: SensitivityMarkdown MODEL DATA...
import Bitplan
import Foundation

// snippet.hide
let paths = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
guard paths.count >= 2 else { fatalError("usage: SensitivityMarkdown MODEL DATA...") }
// snippet.show

let model = try Model(at: paths[0])
let table = try model.sweep(
    TextData(Array(paths.dropFirst()), limit: 10), candidates: [.bcq(2), .bcq(3), .bcq(4)],
    options: MeasuringOptions(fit: .greedy))
print(table.renderMarkdown())
