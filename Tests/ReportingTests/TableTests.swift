import Reporting
import Testing

@Suite struct TableTests {
    @Test func columnsArePadded() {
        var table = MarkdownTable(["layer", "n"])
        table.add(["a|b", "1000"])
        #expect(table.text == "| layer |    n |\n| ----- | ---: |\n| a\\|b  | 1000 |\n")
    }
}
