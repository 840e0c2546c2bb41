#include "frame_axioms.h"
#include "core/mem/frame_word.h"
