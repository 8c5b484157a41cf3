"""Letters that look like ASCII letters: made by benchmarks/tools/make_look_alikes.py.

Source: confusables.txt of Unicode Technical Standard 39, as it is in the Python package
confusable-homoglyphs 3.3.1. The package took the latest version of January 2024, and does not say
which version of Unicode that is.

Each letter is replaced by one ASCII letter. None of them is ASCII, and NFKC leaves all as they are.
"""

# Each line of letters with what they look like below it.
PAIRS = (
    (
        "ɑɡɣɩɪɯʋʏͿΑΒΕΖΗΙΚΜΝΟΡΤΥΧαγινορσυϜϳϺЅІЈАВЕКМНОРСТУХЬагеорсухѕіјѡѴѵ",
        "agyiiwuyJABEZHIKMNOPTYXayivopouFjMSIJABEKMHOPCTYXbareopcyxsijwVv",
    ),
    (
        "ҮүһҽӀӏԁԌԛԜԝՍՏՕագզհոռսցքօଠഠဝყჿሀዐᎠᎡᎢᎥᎩᎪᎫᎬᎳᎷᎻᎽᏀᏂᏃᏏᏒᏔᏕᏙᏚᏞᏟᏢᏦᏧᏳᏴᐯᑌᑭᑯᑲ",
        "YyheIidGqWwUSOwqqhnnugfoOooyoUODRTiYAJEWMHYGhZbRWSVSLCPKdGBVUPdb",
    ),
    (
        "ᒍᒪᕁᕼᕽᖇᖯᖴᗅᗞᗪᗰᗷᚷᛁᛕᛖᴄᴏᴑᴜᴠᴡᴢᴦᶃᶌẝỿⲅⲎⲒⲔⲘⲚⲞⲟⲢⲣⲤⲥⲦⲨⲬⳐⴸⴹⵏⵔⵕⵝꓐꓑꓒꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠ",
        "JLxHxRbFADDMBXlKMcoouvwzrgyfyrHIKMNOoPpCcTYXLVElOQXBPdDTGKJCZFMN",
    ),
    (
        "ꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴꙇꛟꜱꞘꞙꞟꞲꞳꞴꬲꬵꬽꭇꭈꭎꭒꭚꭵꮁꮃꮓꮩꮪꮯ𐊂𐊆𐊇𐊊𐊐𐊒𐊕𐊖𐊗𐊠𐊡𐊢𐊥𐊫𐊰𐊱𐊲𐊴𐋏𐌁𐌂𐌉𐌑𐌕𐌗𐐄𐐕",
        "LSRVHWXYAElOUiVsFfuJXBeforruuyirwzvscBEFlXOPSTABCFOMTYXHBClMTXOC",
    ),
    (
        "𐐛𐐠𐐬𐐽𐑈𐒴𐓂𐓎𐓪𐓶𐔓𐔖𐔘𐔜𐔝𐔥𐔦𐔧𑜆𑜊𑜎𑜏𑢠𑢢𑢣𑢤𑢦𑢩𑢮𑢲𑢵𑢸𑢼𑣀𑣁𑣂𑣃𑣄𑣈𑣗𑣘𑣜𖼈𖼊𖼖𖼨𖼵𖼺𖽀𖽂𖽃",
        "LSocsROUouNOKCVFLXvwwwVFLYEZELOUTvsFizoouyVTLlRSAUY",
    ),
)
LOOK_ALIKES = {
    ord(letter): likeness
    for letters, likenesses in PAIRS
    for letter, likeness in zip(letters, likenesses, strict=True)
}
