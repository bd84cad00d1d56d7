print("bitplan")
