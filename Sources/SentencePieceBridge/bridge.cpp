#include "sentencepiece_bridge.h"
