"""What a network that was made elsewhere remembers: where its states go, and which of its training data it holds."""

from ._audit import Audit as Audit
from ._audit import LatentView as LatentView
from ._audit import audit as audit
from ._ends import find_ends as find_ends
from ._examples import Example as Example
from ._examples import Examples as Examples
from ._examples import benjamini_hochberg as benjamini_hochberg
from ._examples import conformal_p_values as conformal_p_values
from ._examples import fewest_held_out as fewest_held_out
from ._examples import fewest_together as fewest_together
from ._inputs import input_cycle as input_cycle
from ._inputs import input_value as input_value
from ._kinds import End as End
from ._kinds import EndKind as EndKind
from ._kinds import Ends as Ends
from ._kinds import Motion as Motion
from ._kinds import Moving as Moving
from ._layout import layout_of as layout_of
from ._maps import LatentMap as LatentMap
from ._maps import latent_map as latent_map
from ._maps import latent_map_of as latent_map_of
from ._maps import state_map as state_map
from ._proposals import Proposals as Proposals
from ._proposals import proposals as proposals
from ._restore import Restored as Restored
from ._restore import restore as restore
