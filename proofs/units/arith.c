#include "base/arith.h"
