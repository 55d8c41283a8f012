# SPDX-License-Identifier: Apache-2.0
"""Open-book items written one by one, in sentences unlike the composed passages."""
from __future__ import annotations

_WITH_ANSWER = [
    ("bees-dance", "A honey bee that has found flowers returns to the hive and dances. The angle of the dance shows the direction of the food.",
     "What does the angle of the dance show?", ["the direction of the food", "direction", "direction of the food"]),
    ("tides-moon", "Tides rise and fall mainly because the Moon pulls on the sea. The Sun adds a weaker pull.",
     "What mainly causes the tides?", ["the Moon", "Moon", "the pull of the Moon"]),
    ("venice-gondola", "A gondola is a narrow boat used in Venice. It is moved by one person with a single oar.",
     "In which city is the gondola used?", ["Venice"]),
    ("tea-darjeeling", "Darjeeling tea grows on steep hills in India. The first leaves are picked in March.",
     "In which month are the first leaves picked?", ["March", "in March"]),
    ("iceland-horse", "The Icelandic horse is small but strong. Besides walk, trot and canter it has a smooth pace called the tölt.",
     "What is the smooth pace called?", ["tölt", "the tölt", "tolt"]),
    ("paper-bark", "Early paper in China was made from bark, rags and old nets. It was lighter than bamboo strips.",
     "Where was the early paper made?", ["China", "in China"]),
    ("café-clock", "The clock in the Café Lumière stopped in 1954. The owner, Denise Roux, never had it mended.",
     "Who is the owner of the Café Lumière?", ["Denise Roux"]),
    ("swift-sleep", "A swift can stay in the air for ten months. It eats, drinks and even sleeps on the wing.",
     "How long can a swift stay in the air?", ["ten months", "10 months"]),
    ("salt-mine", "The old salt mine at Corvin is 90 metres deep. Its walls are white and its air is dry.",
     "How deep is the salt mine at Corvin?", ["90 metres", "90"]),
    ("piano-felt", "Inside a piano, small hammers covered with felt strike the strings. Pedals change how long the notes sound.",
     "What covers the hammers of a piano?", ["felt"]),
    ("maps-north", "Most maps place north at the top. Some old Arab maps placed south there instead.",
     "Which direction is at the top of most maps?", ["north"]),
    ("cork-oak", "Cork is the bark of an oak that grows in Portugal. It is peeled off about every nine years.",
     "In which country does the oak grow?", ["Portugal"]),
    ("letter-box", "The village letter box of Ansel was painted yellow by Rita Moll. Children still call it the canary.",
     "Who painted the letter box of Ansel?", ["Rita Moll"]),
    ("snow-train", "The snow train to Varr leaves at noon and carries 40 passengers. It has one red carriage.",
     "How many passengers does the snow train carry?", ["40"]),
    ("lighthouse-keeper", "Tilda Grey kept the lighthouse at Porth until 1931. Her brother sold lamp oil in the harbour.",
     "Until which year did Tilda Grey keep the lighthouse?", ["1931"]),
    ("bread-rye", "Rye bread stays fresh longer than wheat bread. In cold countries it has been eaten for centuries.",
     "Which bread stays fresh longer?", ["rye bread", "rye"]),
]
_WITHOUT_ANSWER = [
    ("owl-hearing", "An owl can find a mouse in the dark by hearing alone. Its ears sit at different heights.",
     "How much does an owl weigh?"),
    ("windmill-kessel", "The windmill of Kessel grinds corn on windy days. Visitors may climb to the top.",
     "In which year was the windmill of Kessel built?"),
    ("violin-spruce", "The top of a violin is often cut from spruce. The back is usually maple.",
     "Who invented the violin?"),
    ("desert-fox", "The desert fox loses heat through its large ears. It hunts at night.",
     "What colour is the desert fox?"),
    ("glass-sand", "Glass is made from sand that is melted in a very hot oven. Soda makes it melt sooner.",
     "In which town is glass made?"),
    ("ferry-lund", "The ferry to Lund island takes an hour. In winter it sails only twice a week.",
     "Who is the captain of the ferry to Lund island?"),
    ("baker-noor", "Baker Noor sells seed cake on Sundays. People wait in a long line for it.",
     "How many cakes does baker Noor sell?"),
    ("chess-club", "The chess club of Almen meets above a bookshop. Tea is free for guests.",
     "On which day does the chess club of Almen meet?"),
]

ITEMS: list[dict] = (
    [{"id": i, "context": c, "question": q, "answers": a} for i, c, q, a in _WITH_ANSWER]
    + [{"id": i, "context": c, "question": q, "answers": []} for i, c, q in _WITHOUT_ANSWER])
