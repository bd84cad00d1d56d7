/// What a sublayer remembers of one sequence between its steps; a copy shares what it can.
struct SequenceMemory: Sendable {
    /// Of attention: keys and values.
    var history = KeyValueHistory()
    /// Of a recurrent cell: its state, a number for each channel.
    var cell: [Float] = []
}
